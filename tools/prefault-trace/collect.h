/* SPDX-License-Identifier: GPL-2.0 */
/* BPF maps and /proc in, snapshots out. */
#ifndef PREFAULT_TRACE_COLLECT_H
#define PREFAULT_TRACE_COLLECT_H

#include "diag.h"
#include "snapshot.h"

struct collector;

struct collector_options {
	pid_t pid;		/* of this process only; 0: of all */
	bool fold_stacks;
	unsigned int series;	/* how many there can be */
};

/* Loads and attaches. NULL: @why says what is in the way. */
struct collector *collector_open(const struct collector_options *options, struct diag *why);
void collector_close(struct collector *collector);

/*
 * NULL: out of memory. Each VM that ended since the last snapshot is in this one for the last time, with
 * its final figures.
 */
struct snapshot *collector_snapshot(struct collector *collector);

#endif
