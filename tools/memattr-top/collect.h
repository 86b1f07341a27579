/* SPDX-License-Identifier: GPL-2.0 */
/* BPF maps, debugfs and /proc in, snapshots out. */
#ifndef MEMATTR_TOP_COLLECT_H
#define MEMATTR_TOP_COLLECT_H

#include "diag.h"
#include "snapshot.h"

struct collector;

/* Loads and attaches. NULL: @why says what is in the way. */
struct collector *collector_open(struct diag *why);
void collector_close(struct collector *collector);

/*
 * NULL: out of memory. Each VM that ended since the last snapshot is in this one for the last time, with
 * its final figures.
 */
struct snapshot *collector_snapshot(struct collector *collector);
void snapshot_free(struct snapshot *snapshot);

#endif
