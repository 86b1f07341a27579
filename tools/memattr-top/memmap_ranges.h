/* SPDX-License-Identifier: GPL-2.0 */
/* The private memory of a VM, as its file memattr_ranges in debugfs lists it. */
#ifndef MEMATTR_TOP_MEMMAP_RANGES_H
#define MEMATTR_TOP_MEMMAP_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct gfn_range {
	uint64_t start, end;	/* gfns */
};

/* In order, none next to another. */
struct gfn_ranges {
	struct gfn_range *ranges;
	size_t count, room;
	uint64_t next;		/* the gfn where the next reading goes on; 0: all have been read */
};

/*
 * Reads some ranges, from where the last reading ended: a file tells so many at once. Others stay as they
 * are known. Returns 0 or -errno; -ENOENT: there is no such file.
 */
int gfn_ranges_read(struct gfn_ranges *ranges, const char *dir);
void gfn_ranges_free(struct gfn_ranges *ranges);

/* Replaces the ranges from @ranges->next on by those in the text. Returns 0 or -errno; -EINVAL: it is not such a text. */
int gfn_ranges_parse(struct gfn_ranges *ranges, FILE *text);

#endif
