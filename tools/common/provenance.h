/* SPDX-License-Identifier: GPL-2.0 */
/* The basis of a snapshot's figures: the hooks that they come from, and the cost of the hooks. */
#ifndef MEMATTR_PROVENANCE_H
#define MEMATTR_PROVENANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_object;

#define HOOK_TEXT_LEN 96
#define METRIC_NAME_LEN 16

struct snapshot_hook {
	char metric[METRIC_NAME_LEN];	/* "exits" */
	char hook[HOOK_TEXT_LEN];	/* "tp_btf:kvm_exit"; "n/a" */
	char note[HOOK_TEXT_LEN];	/* what to know about the figures; may be empty */
};

/* The cost since the start. */
struct snapshot_cost {
	bool known;
	uint64_t ns;	/* spent in our programs */
	uint64_t runs;
	uint64_t process_ns;	/* CPU time of the tool's own process */
};

/*
 * Adds up the cost of all loaded programs of @object; @stats_fd comes from bpf_enable_stats(). Returns how
 * many events the kernel did not pass to the programs.
 */
uint64_t cost_read(struct snapshot_cost *cost, const struct bpf_object *object, int stats_fd);

/* Formats the cost for a screen. Without @before there is no cost yet. */
void cost_text(const struct snapshot_cost *before, const struct snapshot_cost *now,
	       int64_t interval_ns, char *text, size_t size);

/* Both print to stderr, so that stdout has nothing but the table. */
void hooks_print(const struct snapshot_hook *hooks, int count, unsigned int metrics);
void cost_print(const struct snapshot_cost *cost);

#endif
