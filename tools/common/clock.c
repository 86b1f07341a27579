// SPDX-License-Identifier: GPL-2.0
#include "clock.h"

#include <errno.h>
#include <time.h>

uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

void catch_stop(sigset_t *stop)
{
	sigemptyset(stop);
	sigaddset(stop, SIGINT);
	sigaddset(stop, SIGTERM);
	sigprocmask(SIG_BLOCK, stop, NULL);
}

bool wait_until(uint64_t deadline_ns, const sigset_t *stop)
{
	for (;;) {
		uint64_t now_ns = monotonic_ns();
		struct timespec left = {};

		if (now_ns < deadline_ns) {
			left.tv_sec = (deadline_ns - now_ns) / 1000000000;
			left.tv_nsec = (deadline_ns - now_ns) % 1000000000;
		}
		if (sigtimedwait(stop, NULL, &left) > 0)
			return false;
		if (errno == EAGAIN)
			return true;
	}
}
