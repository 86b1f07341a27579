/* SPDX-License-Identifier: GPL-2.0 */
/* The last minutes of one count of each VM, which the screen draws as a line of small bars. */
#ifndef MEMATTR_HISTORY_H
#define MEMATTR_HISTORY_H

#include "snapshot.h"

/* Intervals that are kept: two minutes at the usual delay. */
#define HISTORY_SAMPLES 120

struct track;

struct history {
	struct track *tracks;	/* of the VMs of the last snapshot, in the order of their identity */
	size_t count;
	uint64_t time_ns;	/* of that snapshot */
};

/* Adds what each VM counted since the last call. Out of memory, the history is lost and begins anew. */
void history_add(struct history *history, const struct snapshot *now, uint64_t (*count)(const struct snapshot_vm *vm));
void history_free(struct history *history);

/* Formats the VM's history for @width cells, scaled to its own highest rate; the newest is at the right. */
void history_text(const struct history *history, const struct snapshot_vm *vm, int width, char *text, size_t size);

#endif
