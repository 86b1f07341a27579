/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The counts that the BPF programs write, and that the collector reads through mmap. Shared by BPF and C:
 * expects __u32 and __u64.
 */
#ifndef MEMATTR_TOP_COUNTS_H
#define MEMATTR_TOP_COUNTS_H

#include "h2.h"
#include "vm_slots.h"

/* Running totals since the VM was first seen. All slots together take 4.1 MiB of kernel memory. */
struct top_counts {
	__u64 to_private;	/* requests that changed at least one page */
	__u64 to_shared;
	__u64 noop;		/* requests that succeeded and changed nothing */
	__u64 denied;		/* refused by a policy */
	__u64 failed;		/* failed for another reason */
	__u64 held;		/* of these: in place, because a page was in use */
	__u64 requested_pages;	/* of every request, whatever its result */
	__u64 effective_pages;
	__u64 zap_pages;
	__u64 latency_ns;	/* the sum of what @latency counts */
	__u64 latency[H2_BUCKETS];	/* ns, of to_private and to_shared */
};

/*
 * One per CPU, 8 KiB. Only that CPU writes to it: an exit takes neither an atomic nor a shared
 * cache line.
 */
struct top_cpu {
	/*
	 * The VM of the last exit on this CPU: saves the lookup for as long as the epoch stays the
	 * same.
	 */
	__u64 kvm;
	__u32 epoch;
	__u32 slot;
	__u64 lost;		/* exits of VMs without a slot */
	__u64 pad[5];		/* exits start on a cache line of their own */
	__u64 exits[VM_SLOTS];
};

#endif
