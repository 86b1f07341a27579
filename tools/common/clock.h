/* SPDX-License-Identifier: GPL-2.0 */
/* Intervals without a screen, which a signal can end early. */
#ifndef MEMATTR_CLOCK_H
#define MEMATTR_CLOCK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

uint64_t monotonic_ns(void);

/* From now on SIGINT and SIGTERM end the next wait_until() instead of the program. */
void catch_stop(sigset_t *stop);

/* Returns false if a signal ended the wait. */
bool wait_until(uint64_t deadline_ns, const sigset_t *stop);

#endif
