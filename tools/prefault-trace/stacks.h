/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the slowest faults, and where time was spent, from their maps. */
#ifndef PREFAULT_TRACE_STACKS_H
#define PREFAULT_TRACE_STACKS_H

#include "figures.h"
#include "symbols.h"

struct stack_maps {
	int slow;
	size_t slow_size;
	int times;
	int stacks;
};

/* Both fill in their part of the snapshot, and read @symbols when needed. They return 0 or -errno. */
int stacks_add_slow(struct snapshot *s, const struct stack_maps *maps, struct symbols **symbols);
int stacks_add_folded(struct snapshot *s, const struct stack_maps *maps, struct symbols **symbols);

#endif
