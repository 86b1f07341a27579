/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Cuts ranges of pages into pieces of 2^order pages, each aligned to its size. A range of any length has few of them,
 * and a hash that has the pieces finds the range by each of its pages with one lookup per order in use.
 */
#ifndef MEMATTR_TOP_PIECES_BPF_H
#define MEMATTR_TOP_PIECES_BPF_H

#include <linux/types.h>

/* The guest's physical addresses have at most 52 bits. */
#define ORDER_MAX	(52 - 12)
/* The orders of the pieces rise once and fall once; a range that is too long is followed by others of the last order. */
#define PIECES_MAX	(2 * ORDER_MAX)

struct piece {
	__u64 order;
	__u64 at;	/* in units of its size */
};

static __always_inline __u64 order_of(__u64 start, __u64 end)
{
	__u64 aligned = start ? __builtin_ctzll(start) : ORDER_MAX;
	__u64 fits = 63 - __builtin_clzll(end - start);

	if (aligned > fits)
		aligned = fits;
	return aligned < ORDER_MAX ? aligned : ORDER_MAX;
}

/* Takes the first piece off the range. Returns whether there was one. */
static __always_inline _Bool take_piece(__u64 *start, __u64 end, struct piece *piece)
{
	if (*start >= end)
		return 0;
	piece->order = order_of(*start, end);
	piece->at = *start >> piece->order;
	*start += 1ULL << piece->order;
	return 1;
}

#endif
