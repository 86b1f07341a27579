/* SPDX-License-Identifier: GPL-2.0 */
/* Compares with the kernel's own list of private ranges, which the patched kernel has in debugfs. */
#ifndef RANGES_H
#define RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANGES_SIZE	(1 << 20)

/* Prints the line for these pages of the area, and returns its length. */
size_t print_range(char *text, uint64_t first, uint64_t end);
/* Reads the list into @text, which has room for RANGES_SIZE bytes. */
void read_ranges(int vm_fd, char *text);
/* Complains where the VM's list differs from @expected. */
bool ranges_are(int vm_fd, const char *expected);
/* Complains where the list differs from vm.private. */
bool ranges_are_right(void);

#endif
