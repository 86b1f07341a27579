/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A chain: the guest's exit that asks for a conversion, the conversion with its zap, and the first fault after it.
 * Shared by BPF and C: expects __u32 and __u64.
 */
#ifndef MEMATTR_TOP_CHAIN_COUNTS_H
#define MEMATTR_TOP_CHAIN_COUNTS_H

/* Conversions that may still be followed by a fault. If there are more, the oldest ones go. */
#define CHAIN_RECENT	8192
/* A conversion of a range that is not aligned to its size takes several. */
#define CHAIN_PIECES	(4 * CHAIN_RECENT)
/* Threads that have asked for a conversion and not made it yet; if two of them meet, it takes a little longer. */
#define CHAIN_ASKERS	4096

/* Running totals, of a VM or of one range. */
struct chain_links {
	__u64 conversions;	/* that changed something */
	__u64 exits;		/* of these, the ones that an exit of the same thread asked for */
	__u64 exit_ns;		/* from the exit to the beginning of the ioctl */
	__u64 convert_ns;	/* in the ioctl, apart from zaps */
	__u64 zaps;		/* conversions that zapped something */
	__u64 zap_ns;
	__u64 refaults;		/* conversions that were followed by a fault in what they converted or zapped */
	__u64 refault_ns;	/* in these faults */
	__u64 wait_ns;		/* from the end of the ioctl to these faults: the guest did something else */
};

/* One per slot of a VM. */
struct chain_vm {
	struct chain_links links;
	__u64 sizes;		/* of pieces that recent conversions have had, ORed */
	__u64 last_number;	/* of its last conversion */
	__u64 forgotten;	/* conversions that went from the recent ones without a fault */
};

enum chain_followed {
	CHAIN_NOT_FOLLOWED,
	CHAIN_FAULTING,		/* the fault's time is being filled in */
	CHAIN_FOLLOWED,
};

/* An exit that asked for a conversion. */
struct chain_exit {
	__u64 thread;		/* 0: none */
	__u64 exit_ns;		/* 0: it has been used */
	__u64 kvm;		/* 0: the hook does not tell, nor does it tell the range */
	__u64 gfn_start, gfn_end;
};

/* A recent conversion. */
struct chain_recent {
	__u64 number;		/* from 1 up; 0: it is being filled in, or there is none */
	__u64 birth;		/* of the VM */
	__u64 gfn_start, gfn_end;	/* what was asked for */
	__u64 area_start, area_end;	/* gfns; faults there belong to it */
	__u64 end_ns;		/* CLOCK_MONOTONIC */
	__u64 exit_ns, convert_ns, zap_ns, fault_ns;	/* as in struct chain_links */
	__u32 slot;
	__u32 followed;		/* enum chain_followed */
};

#endif
