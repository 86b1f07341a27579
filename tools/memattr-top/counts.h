/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the BPF programs write and the collector reads through mmap. Shared by BPF and C: expects __u32
 * and __u64.
 */
#ifndef MEMATTR_TOP_COUNTS_H
#define MEMATTR_TOP_COUNTS_H

#include "h2.h"

/*
 * Some hosts carry several hundred VMs; 1,024 slots take 4.2 MiB of kernel memory, and 8 KiB per CPU for
 * exits. VMs beyond it are not counted, their events are (as lost). A power of two: slots are masked.
 */
#define TOP_MAX_VMS	1024

#define TOP_COMM_LEN	16	/* TASK_COMM_LEN */
#define TOP_DIR_LEN	24	/* "<tid>-<fd>", two ints at most */

/* Running totals since the VM was first seen. */
struct top_counts {
	__u64 to_private;	/* requests that changed at least one page */
	__u64 to_shared;
	__u64 noop;		/* requests that succeeded and changed nothing */
	__u64 denied;		/* refused by a policy */
	__u64 failed;		/* failed for another reason */
	__u64 requested_pages;	/* of every request, whatever became of it */
	__u64 effective_pages;
	__u64 zap_pages;
	__u64 latency[H2_BUCKETS];	/* ns, of to_private and to_shared */
};

/* One slot. BPF fills it when the VM's first event comes, the collector clears it after the VM's end. */
struct top_vm {
	__u64 birth;		/* 1, 2, ... in order of appearance; 0: slot not in use. Written last */
	__u64 kvm;		/* address of the VM's struct kvm, the key of the slots map */
	__u32 ended;
	__u32 pid;		/* process */
	char comm[TOP_COMM_LEN];	/* for when the process is gone before its name was read */
	char dir[TOP_DIR_LEN];	/* the VM's folder in debugfs; empty: it has none */
	struct top_counts counts;
};

/* One per CPU; only this CPU writes, so that an exit takes neither an atomic nor a shared cache line. */
struct top_cpu {
	/* The VM of the last exit here: spares the lookup for as long as the epoch stays the same. */
	__u64 kvm;
	__u32 epoch;
	__u32 slot;
	__u64 lost;		/* exits of VMs without a slot */
	__u64 pad[5];		/* exits start on a cache line of their own */
	__u64 exits[TOP_MAX_VMS];
};

#endif
