/* SPDX-License-Identifier: GPL-2.0 */
/* Inputs for parsers: bytes at random, and valid samples in which something is wrong. */
#ifndef MUTATE_H
#define MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* A valid input, which can have zeros in it. */
struct sample {
	const char *bytes;
	size_t len;
};

#define SAMPLE(text) { text, sizeof(text) - 1 }

#define INPUT_MAX 32768

/* Writes an input of at most INPUT_MAX bytes, and returns its length. The same @random makes the same input. */
size_t make_input(uint64_t random, const struct sample *samples, size_t count, char *bytes);

#endif
