/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers for a screen, five characters at most: "0.3", "12", "12.3k"; "850ns", "1.2ms"; "64M", "1.5G". */
#ifndef MEMATTR_FORMAT_H
#define MEMATTR_FORMAT_H

#include <stddef.h>

void format_count(char *text, size_t size, double count);
/* Its units are powers of 1024. */
void format_bytes(char *text, size_t size, double bytes);
void format_ns(char *text, size_t size, double ns);

#endif
