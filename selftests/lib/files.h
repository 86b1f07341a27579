/* SPDX-License-Identifier: GPL-2.0 */
/* Files of the kernel's, read and written as a whole. */
#ifndef FILES_H
#define FILES_H

#include <stddef.h>

/* 0 or an errno. */
int try_write_file(const char *path, const char *text);
/* This one ends the program if it fails, and so does reading. */
void write_file(const char *path, const char *text);
/* At most @size - 1 bytes, and a terminating 0. */
void read_file(const char *path, char *text, size_t size);

#endif
