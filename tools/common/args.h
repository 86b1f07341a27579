/* SPDX-License-Identifier: GPL-2.0 */
/* The options that memattr-top and prefault-trace have in common. */
#ifndef MEMATTR_ARGS_H
#define MEMATTR_ARGS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "exit_code.h"

/*
 * With a shorter delay nobody can read the screen, and drawing it costs more than counting. Nobody
 * waits for longer than an hour.
 */
#define DELAY_MIN_S 0.1
#define DELAY_MAX_S 3600.0
#define DELAY_DEFAULT_S 1.0

struct format;

/* The options that every tool has. */
struct args {
	const struct format *format;	/* of batch output; NULL: the screen */
	double delay_s;		/* 0: not given */
	unsigned long count;	/* intervals until the end; 0: no end */
	pid_t pid;		/* only VMs of this process; 0: all VMs */
	const char *view;	/* a word or a number; NULL: the first one */
	int sheet;		/* which of the tool's that is */
	bool totals;		/* since each VM was first seen, not per second */
	bool verbose;
	const char *record, *replay;
	uint64_t record_limit;	/* bytes; 0: none */

	/* Set by tools that have such things. */
	const char *folded;	/* file for stacks */
	const char *textfile, *listen;	/* where metrics go */
	bool by_reason;		/* more of them */

	bool stdout_is_file;	/* "-" is the name of an output file, or nobody reads it */
};

/* A child for the tool's own parser, which passes on a struct args at ARGP_KEY_INIT. */
extern const struct argp args_argp;

/* What all tools' help says about their exit status. */
#define ARGS_EXIT_STATUS \
	"Exit status: 0 after q, the last interval or a signal; 1 after a failure at run time; 2 for wrong arguments; " \
	"3 if the kernel lacks something or this process lacks rights; 4 if there is no process PID. "

/* Both report what is wrong, and end the program. */
double parse_delay(const char *arg, struct argp_state *state);
long parse_number(const char *arg, const char *what, long min, long max, struct argp_state *state);

#endif
