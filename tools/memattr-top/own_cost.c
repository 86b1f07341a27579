// SPDX-License-Identifier: GPL-2.0
#include "own_cost.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#define TIME_ONE_IN 8

/* Enough for a mean that is the same within 1 % each time; they take some 20 us. */
#define EMPTY_RUNS 256

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

/* Returns what the kernel times for a program that does nothing, or 0 if that cannot be found out. */
static double timed_ns_of_nothing(void)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	char packet[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet), .repeat = EMPTY_RUNS);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, NULL, "GPL", nothing, sizeof(nothing) / sizeof(*nothing),
			       NULL);

	if (fd < 0)
		return 0;
	if (bpf_prog_test_run_opts(fd, &run) || bpf_prog_get_info_by_fd(fd, &info, &len))
		info.run_cnt = 0;
	close(fd);
	return info.run_cnt ? (double)info.run_time_ns / info.run_cnt : 0;
}

void own_cost_open(struct own_cost *c)
{
	*c = (struct own_cost){ .stats_fd = -1 };
	time_programs(c, true);
	c->can_time = c->stats_fd >= 0;
	if (c->can_time)
		c->timing_ns = timed_ns_of_nothing();
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
		c->ns_per_exit = ns > c->timing_ns * runs ? (ns - c->timing_ns * runs) / exits : 0;
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
