/* SPDX-License-Identifier: GPL-2.0 */
/* Arguments and exit codes that memattr-top and prefault-trace have in common. */
#ifndef MEMATTR_ARGS_H
#define MEMATTR_ARGS_H

#include <argp.h>

/*
 * With a shorter delay nobody can read the screen, and drawing it costs more than counting. Nobody
 * waits for longer than an hour.
 */
#define DELAY_MIN_S 0.1
#define DELAY_MAX_S 3600.0

/* The codes agree with those of memattr-policy. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_SYSTEM = 3,	/* the kernel lacks something, or the process lacks rights */
	EXIT_NO_VM = 4,		/* there is no such process */
};

double parse_delay(const char *arg, struct argp_state *state);

#endif
