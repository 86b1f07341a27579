/* SPDX-License-Identifier: GPL-2.0 */
#ifndef NOW_H
#define NOW_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC. Inline, as benchmarks count its instructions. */
static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

#endif
