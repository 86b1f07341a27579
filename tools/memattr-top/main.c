// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "views.h"

const char *argp_program_version = "memattr-top " MEMATTR_VERSION;

enum {
	KEY_TOTALS = 256,
};

struct env {
	bool batch;
	bool verbose;
	struct view_options view;
};

static const struct argp_option argp_options[] = {
	{ .name = "batch", .key = 'b', .doc = "print plain lines instead of drawing a screen" },
	{ .name = "delay", .key = 'd', .arg = "SECONDS", .doc = "time between updates (default 1.0)" },
	{ .name = "count", .key = 'n', .arg = "COUNT", .doc = "end after COUNT intervals" },
	{ .name = "pid", .key = 'p', .arg = "PID", .doc = "show only the VMs of process PID" },
	{ .name = "totals", .key = KEY_TOTALS,
	  .doc = "instead of rates, show counts since memattr-top or the VM started" },
	{ .name = "verbose", .key = 'v', .doc = "show what libbpf and the verifier say" },
	{ }
};

static const char doc[] =
	"Show what KVM does for the memory conversions of each VM.\v"
	"Exit status: 0 after q, the last interval, SIGINT or SIGTERM; 1 after a failure at run time; 2 for "
	"wrong arguments; 3 if the kernel lacks something or this process lacks rights; 4 if there is no process "
	"PID. For columns and keys see memattr-top(8), or press h while it runs.";

static long parse_positive(const char *arg, const char *what, long max, struct argp_state *state)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(arg, &end, 10);
	if (end == arg || *end || errno || number < 1 || number > max)
		argp_error(state, "'%s' is not a %s", arg, what);
	return number;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct env *env = state->input;

	switch (key) {
	case 'b':
		env->batch = true;
		return 0;
	case 'd':
		env->view.delay_s = parse_delay(arg, state);
		return 0;
	case 'n':
		env->view.count = parse_positive(arg, "number of intervals", INT32_MAX, state);
		return 0;
	case 'p':
		env->view.rows.pid = parse_positive(arg, "process number", INT32_MAX, state);
		return 0;
	case KEY_TOTALS:
		env->view.rows.totals = true;
		return 0;
	case 'v':
		env->verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not an option", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse_option,
	.doc = doc,
};

void explain_empty(char *text, size_t size, const struct snapshot *now, pid_t pid)
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
	struct env env = {
		.view = { .delay_s = 1.0, .rows = { .sort = COLUMN_EXITS } },
	};
	struct collector *collector;
	struct diag why;
	int status;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &env);
	diag_libbpf_init(env.verbose);

	if (!env.batch && (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)))
		return diag_fail(EXIT_USAGE, "memattr-top -b", "the screen needs a terminal");
	if (env.view.rows.pid && kill(env.view.rows.pid, 0) && errno == ESRCH)
		return diag_fail(EXIT_NO_VM, "memattr-top -b -n 1, which lists all VMs",
				 "there is no process %d", env.view.rows.pid);

	collector = collector_open(&why);
	if (!collector)
		return diag_print(&why, EXIT_SYSTEM);
	status = env.batch ? batch_run(collector, &env.view) : live_run(collector, &env.view);
	collector_close(collector);
	return status;
}
