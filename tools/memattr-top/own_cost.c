// SPDX-License-Identifier: GPL-2.0
#include "own_cost.h"

#include <bpf/bpf.h>
#include <unistd.h>

#define TIME_ONE_IN 8

/* This may fail: the cost then reads n/a. */
static void time_programs(struct own_cost *c, bool on)
{
	if (on && c->stats_fd < 0)
		c->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (!on && c->stats_fd >= 0) {
		close(c->stats_fd);
		c->stats_fd = -1;
	}
}

void own_cost_open(struct own_cost *c)
{
	*c = (struct own_cost){ .stats_fd = -1 };
	time_programs(c, true);
	c->can_time = c->stats_fd >= 0;
}

void own_cost_close(struct own_cost *c)
{
	time_programs(c, false);
}

static void add_timed(struct own_cost *c, const struct snapshot_cost *now, uint64_t exits)
{
	uint64_t ns = now->ns - c->timed.ns, runs = now->runs - c->timed.runs;

	c->sum.ns += ns;
	c->sum.runs += runs;
	if (exits) {
		c->ns_per_exit = (double)ns / exits;
		c->runs_per_exit = (double)runs / exits;
	}
}

void own_cost_estimate(struct own_cost *c, struct snapshot_cost *cost, uint64_t exits, bool always)
{
	const struct snapshot_cost timed = *cost;
	uint64_t more = exits - c->exits;

	if (c->stats_fd >= 0) {
		add_timed(c, &timed, more);
	} else {
		c->sum.ns += c->ns_per_exit * more;
		c->sum.runs += c->runs_per_exit * more;
	}
	c->timed = timed;
	c->exits = exits;
	cost->ns = c->sum.ns;
	cost->runs = c->sum.runs;
	cost->known = c->can_time;
	/* The first snapshot is where the first interval begins. */
	time_programs(c, c->can_time && (always || c->intervals++ % TIME_ONE_IN == 0));
}
