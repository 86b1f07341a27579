/* SPDX-License-Identifier: GPL-2.0 */
/* Chains, and the map of one VM's memory, are collected only while somebody looks at them. */
#ifndef MEMATTR_TOP_LOOKS_H
#define MEMATTR_TOP_LOOKS_H

#include "chain.h"
#include "memmap.h"

/* In the list of hooks, those of chains and of the map come after those that are always there. */
#define METRIC_CHAINS	METRIC_COUNT
#define METRIC_MAP	(METRIC_CHAINS + CHAIN_METRICS)

struct looks {
	struct chain chain;
	struct memmap map;
	struct snapshot_vm vm;	/* whose map is wanted */
	struct snapshot_cost gone;	/* of programs that have been unloaded */
	uint64_t gone_lost;	/* events that they missed */
};

/* Begins and ends to collect, by enum measure. @vm may be NULL: then the map has nothing to show. */
void looks_want(struct looks *looks, unsigned int measures, const struct snapshot_vm *vm, int stats_fd);

/* Adds to a snapshot whose list of VMs is complete and in order. Returns 0 or -errno. */
int looks_read(struct looks *looks, const struct vm_table *table, bool patched, const struct snapshot *before,
	       struct snapshot *s);

/* Adds what the programs cost, and the events that they missed. */
void looks_cost(const struct looks *looks, struct snapshot *s, int stats_fd);

void looks_close(struct looks *looks);

#endif
