/* SPDX-License-Identifier: GPL-2.0 */
/* Sums up what each range has cost, from the recent conversions. */
#ifndef MEMATTR_TOP_CHAIN_RANGES_H
#define MEMATTR_TOP_CHAIN_RANGES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chain_counts.h"

/* One of the ranges of a VM that have cost most. Waits are not summed up. */
struct chain_worst {
	uint64_t birth;
	uint64_t gfn_start, gfn_end;
	struct chain_links links;
};

/* So many ranges of each VM are in a snapshot. */
#define CHAIN_WORST_MAX	10

#define CHAIN_RANGES_ROOM	8192	/* a power of two */
/* If there are more ranges, the half that has cost less is forgotten. */
#define CHAIN_RANGES_MAX	(CHAIN_RANGES_ROOM / 2)

struct chain_ranges {
	struct chain_worst table[CHAIN_RANGES_ROOM];	/* birth 0: free */
	size_t count;
	/* How far each recent conversion has been added. */
	struct {
		uint64_t number;
		bool followed;
	} seen[CHAIN_RECENT];
};

/* Adds what is new of the recent conversions, which the kernel may be changing. */
void chain_ranges_add(struct chain_ranges *ranges, const struct chain_recent *recents);

/* Copies the ranges of all VMs to an array of CHAIN_RANGES_MAX. Returns how many. */
size_t chain_ranges_list(const struct chain_ranges *ranges, struct chain_worst *to);

/* Returns what the range has cost the guest and the host. */
uint64_t chain_cost_ns(const struct chain_links *links);
/* Keeps the ranges that cost most, up to CHAIN_WORST_MAX of each VM, and puts them first. Returns how many. */
size_t chain_keep_worst(struct chain_worst *ranges, size_t count);

#endif
