// SPDX-License-Identifier: GPL-2.0
#include "clock.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

static sigset_t stop;

uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

void stop_catch(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

	sigemptyset(&stop);
	for (unsigned int i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		struct sigaction action;

		if (!sigaction(signals[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(&stop, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static bool wait_until(uint64_t deadline_ns)
{
	for (;;) {
		uint64_t now_ns = monotonic_ns();
		struct timespec left = {};

		if (now_ns < deadline_ns) {
			left.tv_sec = (deadline_ns - now_ns) / 1000000000;
			left.tv_nsec = (deadline_ns - now_ns) % 1000000000;
		}
		if (sigtimedwait(&stop, NULL, &left) > 0)
			return false;
		if (errno == EAGAIN)
			return true;
	}
}

const struct clock system_clock = { .now_ns = monotonic_ns, .wait_until = wait_until };

void interval_start(struct interval *interval, uint64_t now_ns, double seconds)
{
	interval->start_ns = now_ns;
	interval->step_ns = seconds * 1e9;
	interval->deadline_ns = now_ns + interval->step_ns;
}

void interval_next(struct interval *interval, uint64_t now_ns)
{
	/* After a late one, a deadline that is too near would end an interval in which hardly anything happened. */
	uint64_t passed = (now_ns + interval->step_ns / 2 - interval->start_ns) / interval->step_ns;

	uint64_t next_ns = interval->start_ns + (passed + 1) * interval->step_ns;

	if (next_ns > interval->deadline_ns + interval->step_ns)
		interval->missed += (next_ns - interval->deadline_ns) / interval->step_ns - 1;
	interval->deadline_ns = next_ns;
}
