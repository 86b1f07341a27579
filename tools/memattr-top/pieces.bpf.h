/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Cuts ranges of pages into pieces, each a power of two of pages and aligned to its size. A range of any length has few
 * of them, and a hash that has the pieces finds the range by each of its pages with one lookup per size in use.
 */
#ifndef MEMATTR_TOP_PIECES_BPF_H
#define MEMATTR_TOP_PIECES_BPF_H

#include <linux/types.h>

/* The guest's physical addresses have at most 52 bits. */
#define PIECE_PAGES_MAX	(1ULL << (52 - 12))
/* The sizes of a range's pieces rise once and fall once. */
#define PIECES_MAX	(2 * (52 - 12))

struct piece {
	__u64 start;
	__u64 pages;	/* the bit of this size in a set of sizes */
};

/* Most ranges that guests convert are one piece. */
static __always_inline _Bool is_piece(__u64 start, __u64 end)
{
	__u64 pages = end - start;

	return start < end && !((pages | start) & (pages - 1));
}

/* Returns the largest power of two that is not larger than @pages, which is not 0. */
static __always_inline __u64 power_below(__u64 pages)
{
	pages |= pages >> 1;
	pages |= pages >> 2;
	pages |= pages >> 4;
	pages |= pages >> 8;
	pages |= pages >> 16;
	pages |= pages >> 32;
	return pages - (pages >> 1);
}

/* Takes the first piece off the range. Returns whether there was one. */
static __always_inline _Bool take_piece(__u64 *start, __u64 end, struct piece *piece)
{
	__u64 pages;

	if (*start >= end)
		return 0;
	pages = power_below(end - *start);
	if (*start && (*start & -*start) < pages)
		pages = *start & -*start;
	if (pages > PIECE_PAGES_MAX)
		pages = PIECE_PAGES_MAX;
	*piece = (struct piece){ *start, pages };
	*start += pages;
	return 1;
}

#endif
