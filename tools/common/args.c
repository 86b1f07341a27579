// SPDX-License-Identifier: GPL-2.0
#include "args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "text.h"

enum {
	KEY_TOTALS = 256,
	KEY_VIEW,
	KEY_CSV,
	KEY_RECORD,
	KEY_RECORD_LIMIT,
	KEY_REPLAY,
};

double parse_delay(const char *arg, struct argp_state *state)
{
	double seconds;

	if (!read_decimal(arg, &seconds))
		argp_error(state, "'%s' is not a number of seconds", arg);
	if (seconds < DELAY_MIN_S || seconds > DELAY_MAX_S)
		argp_error(state, "a delay of %s s is out of range, which is %.1f to %.0f s", arg,
			   DELAY_MIN_S, DELAY_MAX_S);
	return seconds;
}

long parse_number(const char *arg, const char *what, long min, long max, struct argp_state *state)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(arg, &end, 10);
	if (end == arg || *end || errno || number < min || number > max)
		argp_error(state, "'%s' is not a %s from %ld to %ld", arg, what, min, max);
	return number;
}

static const struct argp_option options[] = {
	{ .name = "batch", .key = 'b', .doc = "print plain lines instead of drawing a screen" },
	{ .name = "json", .key = 'j', .doc = "print each interval as a JSON document on one line" },
	{ .name = "csv", .key = KEY_CSV, .doc = "print comma-separated values" },
	{ .name = "delay", .key = 'd', .arg = "SECONDS", .doc = "time between updates (default 1.0)" },
	{ .name = "count", .key = 'n', .arg = "COUNT", .doc = "end after COUNT intervals" },
	{ .name = "pid", .key = 'p', .arg = "PID", .doc = "show only the VMs of process or thread PID" },
	{ .name = "view", .key = KEY_VIEW, .arg = "VIEW", .doc = "show this view first, by its word or number" },
	{ .name = "totals", .key = KEY_TOTALS,
	  .doc = "instead of rates, show counts since this tool or the VM started" },
	{ .name = "record", .key = KEY_RECORD, .arg = "FILE",
	  .doc = "write each interval's counts to FILE, or to stdout for -" },
	{ .name = "record-limit", .key = KEY_RECORD_LIMIT, .arg = "MIB",
	  .doc = "stop recording when FILE has this size" },
	{ .name = "replay", .key = KEY_REPLAY, .arg = "FILE",
	  .doc = "show the intervals recorded in FILE, or stdin for -; needs neither root nor KVM" },
	{ .name = "verbose", .key = 'v', .doc = "show what libbpf and the verifier say" },
	{ }
};

static bool is_stdout(const char *name)
{
	return name && !strcmp(name, "-");
}

static void check_args(struct args *args, struct argp_state *state)
{
	bool record = is_stdout(args->record), folded = is_stdout(args->folded);

	args->stdout_is_file = record || folded;
	if (args->record && args->replay)
		argp_error(state, "--record and --replay exclude each other");
	if (args->record_limit && !args->record)
		argp_error(state, "--record-limit needs --record");
	if ((record && folded) || (args->stdout_is_file && args->format && args->format != &table_format))
		argp_error(state, "only one thing can go to stdout");
	if (args->stdout_is_file && !args->format)
		argp_error(state, "a screen leaves no room for a file on stdout: add --batch");
	if (is_stdout(args->replay) && !args->format)
		argp_error(state, "the screen takes its keys from stdin: add --batch, or name a file");
}

static const struct format *format_of(int key)
{
	return key == 'b' ? &table_format : key == 'j' ? &json_format : &csv_format;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case 'b':
	case 'j':
	case KEY_CSV:
		/* -b with another one is that one. */
		if (key != 'b' || !args->format)
			args->format = format_of(key);
		return 0;
	case 'd':
		args->delay_s = parse_delay(arg, state);
		return 0;
	case 'n':
		args->count = parse_number(arg, "number of intervals", 1, INT32_MAX, state);
		return 0;
	case 'p':
		args->pid = parse_number(arg, "process number", 1, INT32_MAX, state);
		return 0;
	case KEY_VIEW:
		args->view = arg;
		return 0;
	case KEY_TOTALS:
		args->totals = true;
		return 0;
	case KEY_RECORD_LIMIT:
		args->record_limit = parse_number(arg, "number of MiB", 1, 1 << 20, state) << 20;
		return 0;
	case KEY_RECORD:
	case KEY_REPLAY:
		*(key == KEY_RECORD ? &args->record : &args->replay) = arg;
		return 0;
	case 'v':
		args->verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not an option", arg);
		__attribute__((fallthrough));
	case ARGP_KEY_END:
		check_args(args, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp args_argp = { .options = options, .parser = parse_option };
