// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "failslab.h"
#include "files.h"
#include "testvm.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"

static int fail_nth_fd, make_it_fail_fd;

bool open_failslab(void)
{
	fail_nth_fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	make_it_fail_fd = open("/proc/self/make-it-fail", O_RDWR | O_CLOEXEC);
	if (fail_nth_fd < 0 || make_it_fail_fd < 0 || access(FAILSLAB, F_OK))
		return false;

	write_file(FAILSLAB "ignore-gfp-wait", "N");
	/* What is made to fail, always does. */
	write_file(FAILSLAB "task-filter", "Y");
	write_file(FAILSLAB "probability", "100");
	write_file(FAILSLAB "times", "-1");
	/* A backtrace for each would take longer than all the rest. */
	write_file(FAILSLAB "verbose", "0");
	return true;
}

void begin_failing(unsigned int nth, bool lasting)
{
	if (dprintf(fail_nth_fd, "%u", nth) < 0)
		err(1, "writing fail-nth");
	if (lasting)
		check(write(make_it_fail_fd, "1", 1), "writing make-it-fail");
}

bool end_failing(void)
{
	char left[20] = "";

	check(write(make_it_fail_fd, "0", 1), "writing make-it-fail");
	check(pread(fail_nth_fd, left, sizeof(left) - 1, 0), "reading fail-nth");
	check(write(fail_nth_fd, "0", 1), "writing fail-nth");
	return !atoi(left);
}
