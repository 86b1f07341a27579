/* SPDX-License-Identifier: GPL-2.0 */
/* TAP, and how a program ends that cannot go on. */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A test's line. */
__attribute__((format(printf, 2, 3))) void ok(bool good, const char *fmt, ...);
/* A line that counts as a success, of what this kernel cannot be asked for; why is the format. */
__attribute__((format(printf, 2, 3))) void skip(const char *what, const char *fmt, ...);
/* No test of this program can run: the plan says why, and the program ends. */
__attribute__((noreturn)) void skip_all(const char *why);
/* A comment on what is wrong. Returns false, to be returned. */
__attribute__((format(printf, 1, 2))) bool complain(const char *fmt, ...);
/* The plan. Returns the program's exit status. */
int finish_tests(void);

/* A part of a program's tests, which is run by its name and numbers: "SEED ROUNDS", or "". */
struct test_part {
	const char *name, *numbers;
	void (*run)(void);
};

#define MAX_NUMBERS	2
extern uint64_t part_numbers[MAX_NUMBERS];

/* The part that the arguments name. Returns the program's exit status, 2 if they name none. */
int run_part(int argc, char **argv, const struct test_part *parts, size_t count);

#endif
