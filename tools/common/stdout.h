/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Standard output whose errors count: linking stdout.c is enough for a message and status 1 at the
 * end.
 */
#ifndef MEMATTR_STDOUT_H
#define MEMATTR_STDOUT_H

/*
 * Makes stdout remember the errno of its first error, which stdio forgets as more is printed. It
 * also sees to it that no file of this program gets the number of a closed stdin, stdout or stderr.
 * Call it first in main(); it is not for programs with a screen, as this stdout has no descriptor.
 */
void stdout_remember_errors(void);

/* Writes what is buffered. Returns 0, or the -errno of the first error of all. */
int stdout_flush(void);

#endif
