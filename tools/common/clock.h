/* SPDX-License-Identifier: GPL-2.0 */
/* Time as a tool sees it: what the clock reads, when an interval ends, and which signal ends the tool. */
#ifndef MEMATTR_CLOCK_H
#define MEMATTR_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

uint64_t monotonic_ns(void);

/* Tests have a clock of their own. */
struct clock {
	uint64_t (*now_ns)(void);
	/* Returns false if a signal ended the wait. */
	bool (*wait_until)(uint64_t deadline_ns);
};

/* Waits in real time; call stop_catch() first. */
extern const struct clock system_clock;

/*
 * From now on SIGINT, SIGTERM, SIGHUP and SIGQUIT end the wait instead of the program, except those that it was
 * started to ignore, as under nohup. A closed pipe is an error of the write.
 */
void stop_catch(void);

/* Deadlines on a grid: one that is late does not shift the next one. */
struct interval {
	uint64_t start_ns, step_ns;
	uint64_t deadline_ns;
	uint32_t missed;	/* deadlines that were skipped so far */
};

void interval_start(struct interval *interval, uint64_t now_ns, double seconds);

/* Sets the next deadline after @now_ns. Those that were missed are skipped: they make one long interval. */
void interval_next(struct interval *interval, uint64_t now_ns);

#endif
