// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define COMPLAINTS	20		/* at most, a broken kernel is wrong everywhere */

static int tests, failures, complaints;
uint64_t part_numbers[MAX_NUMBERS];

static void line(const char *fmt, va_list args)
{
	vprintf(fmt, args);
	printf("\n");
	fflush(stdout);
}

void ok(bool good, const char *fmt, ...)
{
	va_list args;

	printf("%sok %d - ", good ? "" : "not ", ++tests);
	failures += !good;
	va_start(args, fmt);
	line(fmt, args);
	va_end(args);
}

void skip(const char *what, const char *fmt, ...)
{
	va_list args;

	printf("ok %d - %s # SKIP ", ++tests, what);
	va_start(args, fmt);
	line(fmt, args);
	va_end(args);
}

void skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	exit(0);
}

bool complain(const char *fmt, ...)
{
	va_list args;

	if (complaints++ >= COMPLAINTS)
		return false;
	printf("# ");
	va_start(args, fmt);
	line(fmt, args);
	va_end(args);
	return false;
}

int finish_tests(void)
{
	printf("1..%d\n", tests);
	/* A program that has tested nothing has not passed. */
	return failures != 0 || !tests;
}

static int usage(const char *program, const struct test_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "%s %s %s %s\n", i ? "      " : "usage:", program, parts[i].name,
			parts[i].numbers);
	return 2;
}

/* How many words there are. */
static int count_words(const char *text)
{
	int words = *text != '\0';

	for (; *text; text++)
		words += *text == ' ';
	return words;
}

int run_part(int argc, char **argv, const struct test_part *parts, size_t count)
{
	const char *name = argc > 1 ? argv[1] : "";
	size_t i = 0;

	while (i < count && (strcmp(name, parts[i].name) || count_words(parts[i].numbers) != argc - 2))
		i++;
	if (i == count)
		return usage(program_invocation_short_name, parts, count);
	for (int n = 0; n < argc - 2; n++)
		part_numbers[n] = strtoull(argv[n + 2], NULL, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	parts[i].run();
	return finish_tests();
}
