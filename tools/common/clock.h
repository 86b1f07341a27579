/* SPDX-License-Identifier: GPL-2.0 */
/* Intervals without a screen, which a signal ends early. */
#ifndef MEMATTR_CLOCK_H
#define MEMATTR_CLOCK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

uint64_t monotonic_ns(void);

/* SIGINT and SIGTERM no longer end the program, but the next wait_until(). */
void catch_stop(sigset_t *stop);

/* False: a signal says to stop. */
bool wait_until(uint64_t deadline_ns, const sigset_t *stop);

#endif
