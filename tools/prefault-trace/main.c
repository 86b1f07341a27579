// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record.h"
#include "views.h"

const char *argp_program_version = "prefault-trace " MEMATTR_VERSION;

#define SLOWEST_DEFAULT 10

enum {
	KEY_TOTALS = 256,
	KEY_SLOWEST,
	KEY_FOLDED,
	KEY_RECORD,
	KEY_REPLAY,
	KEY_SERIES,
};

struct env {
	bool batch;
	bool verbose;
	int slowest;	/* -1: not given */
	unsigned int series;
	const char *folded, *record, *replay;
	struct view_options view;
};

static const struct argp_option argp_options[] = {
	{ .name = "batch", .key = 'b', .doc = "print plain lines instead of drawing a screen" },
	{ .name = "json", .key = 'j', .doc = "like --batch, but print each interval as a JSON document on one line" },
	{ .name = "delay", .key = 'd', .arg = "SECONDS", .doc = "time between updates (default 1.0)" },
	{ .name = "count", .key = 'n', .arg = "COUNT", .doc = "end after COUNT intervals" },
	{ .name = "pid", .key = 'p', .arg = "PID", .doc = "show only the VMs of process PID" },
	{ .name = "vcpus", .key = 'c', .doc = "show a line for each vCPU instead of each VM" },
	{ .name = "totals", .key = KEY_TOTALS,
	  .doc = "instead of rates, show counts since prefault-trace or the VM started" },
	{ .name = "slowest", .key = KEY_SLOWEST, .arg = "N",
	  .doc = "show the N slowest faults with their stacks, at most 32" },
	{ .name = "folded", .key = KEY_FOLDED, .arg = "FILE",
	  .doc = "at the end, write kernel stacks and their times in ns, for flame graphs" },
	{ .name = "record", .key = KEY_RECORD, .arg = "FILE", .doc = "write each interval's counts to FILE" },
	{ .name = "replay", .key = KEY_REPLAY, .arg = "FILE",
	  .doc = "show the intervals recorded in FILE; needs neither root nor KVM" },
	{ .name = "series", .key = KEY_SERIES, .arg = "COUNT",
	  .doc = "make room for COUNT series, up to ten for each vCPU (default 4096)" },
	{ .name = "verbose", .key = 'v', .doc = "show what libbpf and the verifier say" },
	{ }
};

static const char doc[] =
	"Trace the stage-2 faults and the pre-faults of each VM: how many, how long, and whether pre-faulting "
	"paid off.\v"
	"Exit status: 0 after q, the last interval, SIGINT or SIGTERM; 1 after a failure at run time; 2 for "
	"wrong arguments; 3 if the kernel lacks something or this process lacks rights; 4 if there is no process "
	"PID. For columns and keys see prefault-trace(8), or press h while it runs.";

static long parse_number(const char *arg, const char *what, long min, long max,
			 struct argp_state *state)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(arg, &end, 10);
	if (end == arg || *end || errno || number < min || number > max)
		argp_error(state, "'%s' is not a %s from %ld to %ld", arg, what, min, max);
	return number;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct env *env = state->input;

	switch (key) {
	case 'b':
		env->batch = true;
		return 0;
	case 'j':
		env->batch = true;
		env->view.json = true;
		return 0;
	case 'd':
		env->view.delay_s = parse_delay(arg, state);
		return 0;
	case 'n':
		env->view.count = parse_number(arg, "number of intervals", 1, INT32_MAX, state);
		return 0;
	case 'p':
		env->view.rows.pid = parse_number(arg, "process number", 1, INT32_MAX, state);
		return 0;
	case 'c':
		env->view.rows.vcpus = true;
		return 0;
	case KEY_TOTALS:
		env->view.rows.totals = true;
		return 0;
	case KEY_SLOWEST:
		env->slowest = parse_number(arg, "number of faults", 0, TRACE_SLOW, state);
		return 0;
	case KEY_FOLDED:
		env->folded = arg;
		return 0;
	case KEY_RECORD:
		env->record = arg;
		return 0;
	case KEY_REPLAY:
		env->replay = arg;
		return 0;
	case KEY_SERIES:
		env->series = parse_number(arg, "number of series", 1, TRACE_SERIES_MAX, state);
		return 0;
	case 'v':
		env->verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not an option", arg);
		return 0;
	case ARGP_KEY_END:
		if (env->record && env->replay)
			argp_error(state, "--record and --replay exclude each other");
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

void explain_empty(char *text, size_t size, pid_t pid)
{
	if (pid)
		snprintf(text, size, "process %d has no VM that has had a fault or pre-fault", pid);
	else
		snprintf(text, size, "no VM is running that has had a fault or pre-fault");
}

static int open_file(FILE **file, const char *name, const char *mode)
{
	if (!name)
		return 0;
	*file = fopen(name, mode);
	if (*file)
		return 0;
	return diag_fail(EXIT_FAILED, *mode == 'r' ? "prefault-trace --record FILE, which makes one" :
			 "a file in a directory that you may write to",
			 "cannot open %s: %s", name, strerror(errno));
}

static int open_replay(struct source *source, const struct env *env)
{
	int status = open_file(&source->replay, env->replay, "re");

	if (status || !source->replay || !record_read_header(source->replay))
		return status;
	return diag_fail(EXIT_FAILED, "prefault-trace --record FILE, which makes one",
			 "%s is not a record of prefault-trace, or another version made it",
			 env->replay);
}

static int open_collector(struct source *source, struct env *env)
{
	struct collector_options options = {
		.pid = env->view.rows.pid,
		.fold_stacks = env->folded,
		.series = env->series,
	};
	struct diag why;

	source->collector = collector_open(&options, &why);
	return source->collector ? EXIT_OK : diag_print(&why, EXIT_SYSTEM);
}

/* To be called last, when nothing else can fail: it truncates the files. */
static int open_output(struct source *source, struct env *env)
{
	int status = open_file(&source->record, env->record, "we");

	if (!status)
		status = open_file(&env->view.folded, env->folded, "we");
	if (status || !source->record || !record_write_header(source->record))
		return status;
	return diag_fail(EXIT_FAILED, "--record with a file elsewhere", "cannot write to %s: %s",
			 env->record, strerror(errno));
}

static int check_process(struct env *env)
{
	pid_t pid = env->view.rows.pid;

	if (!pid || env->replay)
		return EXIT_OK;
	if (kill(pid, 0) && errno == ESRCH)
		return diag_fail(EXIT_NO_VM, "prefault-trace -b -n 1, which lists all VMs",
				 "there is no process %d", pid);
	/* A thread's number stands for its process. */
	env->view.rows.pid = vm_process(pid) ?: pid;
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	struct env env = {
		.slowest = -1,
		.series = TRACE_SERIES,
		.view = { .delay_s = 1.0, .rows = { .sort = COLUMN_FAULTS } },
	};
	struct source source = {};
	int status;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &env);
	diag_libbpf_init(env.verbose);
	source.record_name = env.record;
	source.replay_name = env.replay;
	/* Plain lines of a table are easier to read without them. */
	env.view.slowest = env.slowest >= 0 ? env.slowest :
			   env.batch && !env.view.json ? 0 : SLOWEST_DEFAULT;

	if (!env.batch && (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)))
		return diag_fail(EXIT_USAGE, "prefault-trace -b", "the screen needs a terminal");
	status = check_process(&env);
	if (!status)
		status = open_replay(&source, &env);
	if (!status && !source.replay)
		status = open_collector(&source, &env);
	if (!status)
		status = open_output(&source, &env);
	if (!status)
		status = env.batch ? batch_run(&source, &env.view) : live_run(&source, &env.view);
	if (source.collector)
		collector_close(source.collector);
	/* The last of the data may fail to be written only now. */
	if (source.record && fclose(source.record) && !status)
		status = diag_fail(EXIT_FAILED, "--record with a file elsewhere",
				   "cannot write to %s: %s", env.record, strerror(errno));
	return status;
}
