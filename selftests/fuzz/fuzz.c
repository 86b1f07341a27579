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
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parsers.h"
#include "random.h"
#include "tap.h"

/* So many inputs take far less time than LIMIT_S, unless a parser hangs. */
#define SOME	1024
#define LIMIT_S	100

static const struct parser *parser;
static uint64_t seed;
/* Which input is being tried, by a process that may end at any time. */
static volatile uint64_t *number;

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

__attribute__((noreturn)) static void try_all(uint64_t first, uint64_t count)
{
	for (*number = first; *number < first + count; ++*number) {
		if (*number % SOME == 0 || *number == first)
			alarm(LIMIT_S);
		if (!try_input(hash(parser->name) ^ (seed << 40) ^ *number))
			exit(1);
	}
	exit(0);
}

/* In a process of its own, as a sanitizer ends it. */
static void try_parser(uint64_t first, uint64_t count)
{
	int status = -1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child)
		try_all(first, count);
	if (child < 0 || waitpid(child, &status, 0) != child)
		err(1, "fork");
	if (status)
		complain("status 0x%x; to try this input again: fuzz %llu 1 %s %llu", status,
			 (unsigned long long)seed, parser->name, (unsigned long long)*number);
	ok(!status, "%s: %llu inputs, seed %llu", parser->name, (unsigned long long)count,
	   (unsigned long long)seed);
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
	number = mmap(NULL, sizeof(*number), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (number == MAP_FAILED)
		err(1, "mmap");
	prepare_parsers();
	for (parser = parsers; parser < parsers + parser_count; parser++)
		if (argc < 4 || !strcmp(argv[3], parser->name))
			try_parser(first, count);
	return finish_tests();
}
