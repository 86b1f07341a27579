/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What our own BPF programs cost. While the kernel times them, each of their runs takes 60 instructions more, of every
 * other program on the host, too: so it does in one interval of eight only, and in between the cost is taken to be the
 * same for each exit, less what it takes to look at the clock: that is part of what the kernel times, and often more
 * than half of it.
 */
#ifndef MEMATTR_TOP_OWN_COST_H
#define MEMATTR_TOP_OWN_COST_H

#include "provenance.h"

struct own_cost {
	int stats_fd;			/* the kernel times BPF programs for as long as it is open; -1: it does not */
	bool can_time;
	unsigned int intervals;
	uint64_t exits;			/* at the last reading */
	struct snapshot_cost timed;	/* then, as the kernel had it */
	struct snapshot_cost sum;	/* and with what was in between */
	double timing_ns;		/* of each timed run, what the clock takes; 0: not known */
	double ns_per_exit, runs_per_exit;	/* in intervals that are not timed */
};

void own_cost_open(struct own_cost *cost);
void own_cost_close(struct own_cost *cost);

/*
 * Turns what the kernel has timed into an estimate of everything, at the end of an interval; all @exits so far are known.
 * If @always is set, the kernel goes on counting runs.
 */
void own_cost_estimate(struct own_cost *c, struct snapshot_cost *cost, uint64_t exits, bool always);

#endif
