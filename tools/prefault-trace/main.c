// SPDX-License-Identifier: GPL-2.0
#include "figures.h"

#include <inttypes.h>
#include <stdio.h>

#include "batch.h"
#include "screen.h"

const char *argp_program_version = "prefault-trace " MEMATTR_VERSION;

#define SLOWEST_DEFAULT 10

enum {
	KEY_SLOWEST = 512,
	KEY_FOLDED,
	KEY_SERIES,
};

static const struct argp_option argp_options[] = {
	{ .name = "vcpus", .key = 'c', .doc = "show a line for each vCPU instead of each VM" },
	{ .name = "slowest", .key = KEY_SLOWEST, .arg = "N",
	  .doc = "show the N slowest faults with their stacks, at most 32" },
	{ .name = "folded", .key = KEY_FOLDED, .arg = "FILE",
	  .doc = "at the end, write kernel stacks and their times in ns, for flame graphs, to FILE or stdout for -" },
	{ .name = "series", .key = KEY_SERIES, .arg = "COUNT",
	  .doc = "make room for COUNT series, up to ten for each vCPU (default 4096)" },
	{ }
};

static const struct argp_child children[] = { { &args_argp, 0, NULL, 0 }, {} };

static const char doc[] =
	"Trace the stage-2 faults and the pre-faults of each VM: how many, how long, and whether pre-faulting "
	"paid off.\v" ARGS_EXIT_STATUS
	"For columns and keys see prefault-trace(8), or press h while it runs.";

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct trace_args *trace = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &trace->args;
		return 0;
	case 'c':
		trace->args.view = "vcpus";
		return 0;
	case KEY_SLOWEST:
		trace->slowest = parse_number(arg, "number of faults", 0, TRACE_SLOW, state);
		return 0;
	case KEY_FOLDED:
		trace->args.folded = arg;
		return 0;
	case KEY_SERIES:
		trace->series = parse_number(arg, "number of series", 1, TRACE_SERIES_MAX, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse_option,
	.doc = doc,
	.children = children,
};

static void empty_text(char *text, size_t size, const struct snapshot *now, pid_t pid)
{
	(void)now;
	if (pid)
		snprintf(text, size, "process %d has no VM that has had a fault or pre-fault", pid);
	else
		snprintf(text, size, "no VM is running that has had a fault or pre-fault");
}

static void draw_more(struct flow *flow, const struct snapshot *now)
{
	char text[64];

	if (!now->has_stacks)
		return;
	snprintf(text, sizeof(text), "lost stacks %" PRIu64, now->lost_stacks);
	flow_put(flow, now->lost_stacks ? colour(COLOUR_LOSS) : A_NORMAL, text);
}

int main(int argc, char **argv)
{
	const struct tool tool = {
		TOOL_TABLES("prefault-trace", trace_lists),
		.shown_hooks = METRIC_SHOWN,
		.open = collector_open,
		.snapshot = collector_snapshot,
		.last = collector_last,
		.close = collector_close,
		.empty_text = empty_text,
		.lost_help = "a larger --series, or -p for one process",
		.see = "Which conversions cause the faults, and what else makes a VM exit: memattr-top",
		.json_end = json_slowest,
		.batch_end = print_slowest,
		.write_folded = write_folded,
		.keys = "v vCPUs  l Slowest  ",
		.keys_help = "v          VMs or vCPUs            l     the slowest faults",
		.draw_more = draw_more,
		.has_page = has_slowest,
		.draw_page = draw_slowest,
	};
	struct trace_args trace = { .slowest = -1, .series = TRACE_SERIES };

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &trace);
	/* Plain lines of a table are easier to read without them. */
	if (trace.slowest < 0)
		trace.slowest = trace.args.format == &table_format ? 0 : SLOWEST_DEFAULT;
	return tool_run(&tool, &trace.args);
}
