/* SPDX-License-Identifier: GPL-2.0 */
/* xorshift64 gives the same numbers on every machine. Its state must not be 0. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

static inline uint64_t xorshift64(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* The lower bits are less random. */
static inline uint64_t next_random(uint64_t *state)
{
	return xorshift64(state) >> 16;
}

static inline uint64_t seed_random(uint64_t seed)
{
	uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15;

	xorshift64(&state);
	return state;
}

#endif
