/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's files, by any name: what the tools' sources open for reading has the bytes of the input. The program
 * is linked with --wrap for the functions that open them.
 */
#ifndef FILES_H
#define FILES_H

#include <stddef.h>

/* From now on; NULL: files are themselves. */
void fake_files(const char *bytes, size_t len);

#endif
