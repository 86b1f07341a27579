/* SPDX-License-Identifier: GPL-2.0 */
/* TAP, and how a program ends that cannot go on. */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Prints a test's line. */
__attribute__((format(printf, 2, 3))) void ok(bool good, const char *fmt, ...);
/* Prints a line that counts as a success: @what cannot be tested here, and why. */
__attribute__((format(printf, 2, 3))) void skip(const char *what, const char *fmt, ...);
/* Prints a plan that says why no test of this program can run, and ends the program. */
__attribute__((noreturn)) void skip_all(const char *why);
/* Prints a comment on what is wrong, and returns false for the caller to return. */
__attribute__((format(printf, 1, 2))) bool complain(const char *fmt, ...);
/* Prints the plan, and returns the program's exit status. */
int finish_tests(void);

/* A part of a program's tests. @numbers names the numbers that follow its name: "SEED ROUNDS". */
struct test_part {
	const char *name, *numbers;
	void (*run)(void);
};

#define MAX_NUMBERS	2
extern uint64_t part_numbers[MAX_NUMBERS];

/* Runs the part that the arguments name, and returns the program's exit status: 2 if there is none. */
int run_part(int argc, char **argv, const struct test_part *parts, size_t count);

#endif
