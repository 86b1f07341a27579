// SPDX-License-Identifier: GPL-2.0
#include "figures.h"

#include <stdio.h>

#include "export.h"

const char *argp_program_version = "memattr-top " MEMATTR_VERSION;

static const struct argp_child children[] = { { &args_argp, 0, NULL, 0 }, { &export_argp, 0, NULL, 0 }, {} };

static const char doc[] =
	"Show what KVM does for the memory conversions of each VM.\v" ARGS_EXIT_STATUS
	"For columns and keys see memattr-top(8), or press h while it runs.";

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = state->child_inputs[1] = state->input;
	return 0;
}

static const struct argp argp = { .parser = parse_option, .doc = doc, .children = children };

static void empty_text(char *text, size_t size, const struct snapshot *now, pid_t pid)
{
	if (pid)
		snprintf(text, size, "process %d has no VM%s", pid,
			 now->idle_listed ? "" : " with an event so far");
	else if (now->idle_listed)
		snprintf(text, size, "no VM is running; one that starts will appear here");
	else
		snprintf(text, size, "no VM has had an event so far; without debugfs idle VMs are not listed");
}

int main(int argc, char **argv)
{
	const struct tool tool = {
		TOOL_TABLES("memattr-top", top_lists),
		.shown_hooks = METRIC_VM_END,
		.open = collector_open,
		.snapshot = collector_snapshot,
		.close = collector_close,
		.want = collector_want,
		.empty_text = empty_text,
		.metrics = &top_metrics,
		.see = "Exits that are stage-2 faults, and faults after conversions: prefault-trace",
		.keys = "l Left  ",
		.keys_help = "l          policies that have left their VMs, and why",
		.saw = note_ejections,
		.alert = ejection_alert,
		.acknowledge = acknowledge_ejections,
		.has_page = has_left,
		.draw_page = draw_left,
		.json_end = chain_json_end,
	};
	struct args args = {};

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &args);
	return tool_run(&tool, &args);
}
