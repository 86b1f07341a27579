/* SPDX-License-Identifier: GPL-2.0 */
/* Reads and writes files of the kernel's as a whole. */
#ifndef FILES_H
#define FILES_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0 or an errno. */
int try_write_file(const char *path, const char *text);
/* These two end the program if they fail. */
void write_file(const char *path, const char *text);
/* Reads at most @size - 1 bytes, and terminates them. */
void read_file(const char *path, char *text, size_t size);
/* Adds up the numbers of the lines that begin with @name, of at most 64 KiB. */
uint64_t sum_of_lines(const char *path, const char *name);

#endif
