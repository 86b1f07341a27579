// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds the tools' parsers with inputs that are wrong, under the address and undefined behaviour sanitizers. Every
 * input is made from the seed, the parser's name and the input's number alone, so that one of them can be tried again:
 *
 *	fuzz SEED COUNT [PARSER [FIRST]]
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parsers.h"
#include "random.h"
#include "tap.h"

/* What is being tried: for the report of a sanitizer, which ends the program. */
static const struct parser *parser;
static uint64_t seed, number;

void __sanitizer_set_death_callback(void (*callback)(void));

static void tell_input(void)
{
	fprintf(stdout, "# to try this input again: fuzz %llu 1 %s %llu\n", (unsigned long long)seed, parser->name,
		(unsigned long long)number);
	fflush(stdout);
}

static uint64_t hash(const char *text)
{
	uint64_t hash = 14695981039346656037ull;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211ull;
	return hash;
}

/* The parser gets a copy of exactly the input's size, so that reading past its end is noticed. */
static bool try_input(uint64_t random)
{
	static char input[INPUT_MAX];
	size_t len = make_input(random, parser->samples, parser->sample_count, input);
	char *copy = malloc(len + 1);
	bool good;

	if (!copy)
		err(1, "malloc");
	memcpy(copy, input, len);
	copy[len] = '\0';
	good = parser->parse(copy, len);
	free(copy);
	return good;
}

static void try_parser(uint64_t first, uint64_t count)
{
	bool good = true;

	for (number = first; good && number < first + count; number++)
		good = try_input(hash(parser->name) ^ (seed << 40) ^ number);
	number--;
	if (!good)
		tell_input();
	ok(good, "%s: %llu inputs, seed %llu", parser->name, (unsigned long long)count, (unsigned long long)seed);
}

static uint64_t read_number(const char *text)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end)
		errx(2, "'%s' is not a number", text);
	return value;
}

int main(int argc, char **argv)
{
	uint64_t count, first;

	if (argc < 3 || argc > 5)
		errx(2, "usage: fuzz SEED COUNT [PARSER [FIRST]]");
	seed = read_number(argv[1]);
	count = read_number(argv[2]);
	first = argc > 4 ? read_number(argv[4]) : 0;
	__sanitizer_set_death_callback(tell_input);
	prepare_parsers();
	for (parser = parsers; parser < parsers + parser_count; parser++)
		if (argc < 4 || !strcmp(argv[3], parser->name))
			try_parser(first, count);
	return finish_tests();
}
