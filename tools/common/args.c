// SPDX-License-Identifier: GPL-2.0
#include "args.h"

#include "text.h"

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
