// SPDX-License-Identifier: GPL-2.0
/*
 * What a program prints may turn out to be lost only when it ends, and argp itself ends it after
 * --help and --version. An exit handler is the one place that sees all of it. Linking this file is
 * enough.
 */
#define _GNU_SOURCE
#include "stdout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 0, or a negative errno. */
static int first_error;

static ssize_t write_out(void *unused, const char *text, size_t size)
{
	size_t done = 0;

	(void)unused;
	while (done < size) {
		ssize_t ret = write(STDOUT_FILENO, text + done, size - done);

		if (ret > 0) {
			done += ret;
		} else if (ret < 0 && errno != EINTR) {
			first_error = first_error ?: -errno;
			return 0;
		}
	}
	return done;
}

int stdout_flush(void)
{
	bool was_lost = ferror(stdout);

	errno = 0;
	if ((fflush(stdout) || was_lost) && !first_error)
		first_error = -errno ?: -EIO;
	return first_error;
}

/* A closed one gets a file with which what was closed still does not work. */
static void open_standard_files(void)
{
	static const int modes[] = { O_WRONLY, O_RDONLY, O_RDWR };

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", modes[fd]);
}

void stdout_remember_errors(void)
{
	FILE *out;

	open_standard_files();
	out = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write_out });
	if (!out)
		return;
	setvbuf(out, NULL, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, BUFSIZ);
	stdout = out;
}

static void check_stdout(int status, void *unused)
{
	int err = stdout_flush();

	(void)unused;
	/* A program that fails has said why. */
	if (!err || status)
		return;
	fprintf(stderr, "%s: cannot write to standard output: %s\n", program_invocation_short_name,
		strerror(-err));
	fprintf(stderr, "%s: try: look at the disk that it is written to, or at the program that reads it\n",
		program_invocation_short_name);
	_exit(EXIT_FAILURE);
}

__attribute__((constructor)) static void watch_stdout(void)
{
	on_exit(check_stdout, NULL);
}
