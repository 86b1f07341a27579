/* SPDX-License-Identifier: GPL-2.0 */
/* The collector reads BPF maps and /proc, and makes snapshots. */
#ifndef PREFAULT_TRACE_COLLECT_H
#define PREFAULT_TRACE_COLLECT_H

#include "diag.h"
#include "snapshot.h"

struct collector;

struct collector_options {
	pid_t pid;		/* count only VMs of this process; 0: all VMs */
	bool fold_stacks;
	unsigned int series;	/* how many there can be */
};

/* Loads and attaches the BPF programs. Returns NULL on failure, and @why says why. */
struct collector *collector_open(const struct collector_options *options, struct diag *why);
void collector_close(struct collector *collector);

/*
 * Returns NULL if out of memory. Each VM that has ended since the last snapshot is in this one for the last
 * time, with its final figures.
 */
struct snapshot *collector_snapshot(struct collector *collector);

#endif
