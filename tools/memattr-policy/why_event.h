/* SPDX-License-Identifier: GPL-2.0 */
/* What why.bpf.c hands to "memattr-policy why": a page that could not become private. */
#ifndef MEMATTR_WHY_EVENT_H
#define MEMATTR_WHY_EVENT_H

#include <linux/types.h>

#define WHY_MAX_MAPPERS	4
#define WHY_COMM_LEN	16
/* No memslot maps the page. */
#define WHY_NO_GFN	(~0ULL)

struct why_mapper {
	__u64 address;
	__s32 pid;		/* 0: not known */
	char comm[WHY_COMM_LEN];
	__u32 zero;
};

struct why_event {
	__u64 ns;		/* CLOCK_MONOTONIC */
	__u64 ino;		/* of the guest_memfd */
	__u64 pgoff;		/* the page of the file */
	__u64 gfn;
	__u32 refs;		/* the sum of the next three */
	__u32 mapped;
	__u32 pins;
	__u32 other;
	__u32 locked;		/* truth values */
	__u32 new_page;
	__u32 more_mappers;
	__u32 nr_mappers;
	struct why_mapper mappers[WHY_MAX_MAPPERS];
	__s32 asker_pid;	/* the process that asked for the conversion */
	char asker_comm[WHY_COMM_LEN];
	__u32 zero;
};

#endif
