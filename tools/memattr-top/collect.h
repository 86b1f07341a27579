/* SPDX-License-Identifier: GPL-2.0 */
/* The collector reads BPF maps, debugfs and /proc, and makes snapshots. */
#ifndef MEMATTR_TOP_COLLECT_H
#define MEMATTR_TOP_COLLECT_H

#include "diag.h"
#include "snapshot.h"

struct collector;

/* Loads and attaches the BPF programs. Returns NULL on failure, and @why says why. */
struct collector *collector_open(struct diag *why);
void collector_close(struct collector *collector);

/*
 * Returns NULL if out of memory. Each VM that has ended since the last snapshot is in this one for the last
 * time, with its final figures.
 */
struct snapshot *collector_snapshot(struct collector *collector);
void snapshot_free(struct snapshot *snapshot);

#endif
