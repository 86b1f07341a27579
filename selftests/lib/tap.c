// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tap.h"

#define COMPLAINTS	20		/* at most, a broken kernel is wrong everywhere */

static int tests, failures, complaints;

void ok(bool good, const char *fmt, ...)
{
	va_list args;

	printf("%sok %d - ", good ? "" : "not ", ++tests);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	failures += !good;
}

void skip(const char *what, const char *fmt, ...)
{
	va_list args;

	printf("ok %d - %s # SKIP ", ++tests, what);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

void skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	exit(0);
}

bool complain(const char *fmt, ...)
{
	va_list args;

	if (complaints++ >= COMPLAINTS)
		return false;
	printf("# ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	return false;
}

int finish_tests(void)
{
	printf("1..%d\n", tests);
	return failures != 0;
}
