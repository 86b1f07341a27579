// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "provenance.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static uint64_t process_ns(void)
{
	struct timespec spent;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
	return spent.tv_sec * 1000000000ULL + spent.tv_nsec;
}

uint64_t cost_read(struct snapshot_cost *cost, const struct bpf_object *object, int stats_fd)
{
	struct bpf_program *program;
	uint64_t missed = 0;

	*cost = (struct snapshot_cost){ .known = stats_fd >= 0, .process_ns = process_ns() };
	bpf_object__for_each_program(program, object) {
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);

		if (!bpf_program__autoload(program) ||
		    bpf_prog_get_info_by_fd(bpf_program__fd(program), &info, &len))
			continue;
		cost->ns += info.run_time_ns;
		cost->runs += info.run_cnt;
		missed += info.recursion_misses;
	}
	return missed;
}

void cost_text(const struct snapshot_cost *before, const struct snapshot_cost *now,
	       int64_t interval_ns, char *text, size_t size)
{
	uint64_t ns, runs;

	if (!now->known || !before || interval_ns <= 0) {
		snprintf(text, size, "BPF cost %s", now->known ? "-" : "n/a");
		return;
	}
	ns = now->ns - before->ns;
	runs = now->runs - before->runs;
	snprintf(text, size, "BPF cost %.2f%% of a CPU, %.0f ns/event", 100.0 * ns / interval_ns,
		 runs ? (double)ns / runs : 0);
}

void hooks_print(const struct snapshot_hook *hooks, int count, unsigned int metrics)
{
	for (int i = 0; i < count; i++)
		if (metrics & 1U << i)
			fprintf(stderr, "%s: %s: %s%s%s%s\n", program_invocation_short_name, hooks[i].metric,
				hooks[i].hook, hooks[i].note[0] ? " (" : "", hooks[i].note,
				hooks[i].note[0] ? ")" : "");
}

void cost_print(const struct snapshot_cost *cost)
{
	if (cost->known)
		fprintf(stderr, "own cost: %" PRIu64 " ns in %" PRIu64 " BPF runs\n", cost->ns,
			cost->runs);
	else
		fprintf(stderr, "own cost: n/a\n");
}
