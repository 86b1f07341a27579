/* SPDX-License-Identifier: GPL-2.0 */
/* What memattr-top and prefault-trace take, and end with, alike. */
#ifndef MEMATTR_ARGS_H
#define MEMATTR_ARGS_H

#include <argp.h>

/* Below it a screen cannot be read, and drawing it costs more than counting. An hour is long to wait. */
#define DELAY_MIN_S 0.1
#define DELAY_MAX_S 3600.0

/* As those of memattr-policy. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_SYSTEM = 3,	/* the kernel or the rights do not suffice */
	EXIT_NO_VM = 4,		/* there is no such process */
};

double parse_delay(const char *arg, struct argp_state *state);

#endif
