/* SPDX-License-Identifier: GPL-2.0 */
/* The parsers of the tools, each with samples of what it reads. */
#ifndef PARSERS_H
#define PARSERS_H

#include <stdbool.h>

#include "mutate.h"

struct parser {
	const char *name;
	const struct sample *samples;
	size_t sample_count;
	/* @input ends with a zero that is not counted. Returns false if what the parser made of it cannot be. */
	bool (*parse)(const char *input, size_t len);
};

#define PARSER(name, samples, parse) { (name), (samples), sizeof(samples) / sizeof((samples)[0]), (parse) }

extern const struct parser parsers[];
extern const size_t parser_count;

/* To be called once, before the first input. */
void prepare_parsers(void);

#endif
