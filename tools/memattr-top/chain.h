/* SPDX-License-Identifier: GPL-2.0 */
/* Collects what conversions cost from the exit that asks for them to the fault after them, while somebody looks at it. */
#ifndef MEMATTR_TOP_CHAIN_H
#define MEMATTR_TOP_CHAIN_H

#include <linux/types.h>

#include "chain_counts.h"
#include "chain_ranges.h"
#include "fallback.h"
#include "snapshot.h"
#include "vm_table.h"

/* A VM's totals, since somebody began to look. */
struct chain_item {
	uint64_t birth;
	struct chain_links links;
	uint64_t forgotten;
};

extern const struct field chain_item_fields[11], chain_worst_fields[12];
int chain_compare_items(const void *a, const void *b);
int chain_compare_worsts(const void *a, const void *b);

/* The lists of a snapshot. */
#define CHAIN_ITEM_LIST \
	{ "chain", sizeof(struct chain_item), 1 << 16, chain_item_fields, \
	  sizeof(chain_item_fields) / sizeof(*chain_item_fields), chain_compare_items, true, false }
#define CHAIN_WORST_LIST \
	{ "chain_range", sizeof(struct chain_worst), 1 << 16, chain_worst_fields, \
	  sizeof(chain_worst_fields) / sizeof(*chain_worst_fields), chain_compare_worsts, true, false }

/* Metrics of chain_fallback. */
enum chain_metric {
	CHAIN_EXITS,
	CHAIN_CONVERSIONS,
	CHAIN_ZAPS,
	CHAIN_FAULTS,
	CHAIN_METRICS,
};

extern const struct fallback chain_fallback;

struct bpf_link;
struct memattr_top_bpf;

struct chain {
	bool probed;
	struct hooks hooks;
	struct memattr_top_bpf *bpf;	/* the tool's, whose programs also join chains */
	struct bpf_link *exit_of_thread;	/* NULL: the hook is not in use */
	struct chain_vm *vms;	/* VM_SLOTS of them, shared with the kernel */
	struct chain_recent *recents;	/* CHAIN_RECENT of them, likewise */
	struct chain_ranges *ranges;	/* NULL: nobody looks */
};

/* Call this before the tool's programs are attached. */
void chain_open(struct chain *chain, struct memattr_top_bpf *bpf);
/* Begins to collect. Returns 0 or -errno. */
int chain_start(struct chain *chain);
/* Ends it, and drops what was collected. It does nothing if nothing is collected. */
void chain_stop(struct chain *chain);

/* Returns the measures whose hooks chains need besides that of conversions, as enum measure. */
unsigned int chain_needs(const struct chain *chain);

/* The tool's hook of that metric could not be attached, for @err. */
void chain_lacks(struct chain *chain, enum chain_metric metric, int err);

/*
 * Says whether any VM has a policy, which may widen zaps. Otherwise what is zapped is what is converted, and nobody has
 * to look.
 */
void chain_watch_zaps(struct chain *chain, bool has_policies);

/*
 * Adds the table's VMs to the list of chain_items, and their worst ranges to the list of chain_worsts; the list of VMs
 * is complete and in order. Clears the slots of those that have ended. Returns 0 or -errno.
 */
int chain_read(struct chain *chain, const struct vm_table *table, struct snapshot *s, int items, int worsts);

#endif
