// SPDX-License-Identifier: GPL-2.0
/*
 * What a program prints may turn out to be lost only when it ends, and argp itself ends it after --help and --version.
 * An exit handler is the one place that sees all of it. Linking this file is enough.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check_stdout(int status, void *unused)
{
	bool was_lost = ferror(stdout);

	(void)unused;
	errno = 0;
	if (!fflush(stdout) && !was_lost)
		return;
	/* A program that fails has said why. */
	if (status)
		return;
	fprintf(stderr, "%s: cannot write to standard output: %s\n", program_invocation_short_name,
		errno ? strerror(errno) : "an earlier write failed");
	fprintf(stderr, "%s: try: look at the disk that it is written to, or at the program that reads it\n",
		program_invocation_short_name);
	_exit(EXIT_FAILURE);
}

__attribute__((constructor)) static void watch_stdout(void)
{
	on_exit(check_stdout, NULL);
}
