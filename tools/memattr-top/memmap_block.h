/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's side of a map of one VM's memory. Shared by BPF and C: expects __u32 and __u64.
 */
#ifndef MEMATTR_TOP_MEMMAP_BLOCK_H
#define MEMATTR_TOP_MEMMAP_BLOCK_H

/* The smallest block of which changes and faults are known: 2 MiB, as large as a huge page. */
#define MEMMAP_ORDER	9
/* As many blocks take 8 MiB of kernel memory. If there are more, the ones that changed least recently go. */
#define MEMMAP_BLOCKS	65536
/* KVM allows more, but VMMs use a few dozen. */
#define MEMMAP_SLOTS	512

struct memmap_key {
	__u64 gfn;
	__u64 pages;		/* a power of two */
};

struct memmap_block {
	__u64 changed_ns;	/* CLOCK_MONOTONIC, when a conversion changed something in it last; 0: none did */
	__u64 conversions;
	__u64 faults;
	__u32 attributes;	/* of the last conversion */
	__u32 level;		/* of what the last fault mapped, as in PG_LEVEL_*; 0: not known */
};

struct memmap_slot {
	__u64 gfn_start, gfn_end;
	__u32 id;
	__u32 pad;
};

#endif
