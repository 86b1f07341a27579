/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers for a screen, five characters at most: "0.3", "12", "12.3k"; "850ns", "1.2ms". */
#ifndef MEMATTR_FORMAT_H
#define MEMATTR_FORMAT_H

#include <stddef.h>

void format_count(char *text, size_t size, double count);
void format_ns(char *text, size_t size, double ns);

#endif
