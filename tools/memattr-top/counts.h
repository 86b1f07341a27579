/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The counts that the BPF programs write, and that the collector reads through mmap. Shared by BPF and C:
 * expects __u32 and __u64.
 */
#ifndef MEMATTR_TOP_COUNTS_H
#define MEMATTR_TOP_COUNTS_H

#include "h2.h"
#include "stage2.h"
#include "vm_slots.h"

/* These buckets of a histogram end at 17 s; what takes longer is in the last one. */
#define TOP_BUCKETS	256

/* Running totals since the VM was first seen. All slots together take 4.2 MiB of kernel memory. */
struct top_counts {
	__u64 to_private;	/* requests that changed at least one page */
	__u64 to_shared;
	__u64 noop;		/* requests that succeeded and changed nothing */
	__u64 denied;		/* refused by a policy */
	__u64 failed;		/* failed for another reason */
	__u64 held;		/* of these: in place, because a page was in use */
	__u64 requested_pages;	/* of every request, whatever its result */
	__u64 effective_pages;
	__u64 zaps;
	__u64 zap_pages;
	__u64 latency_ns;	/* the sum of what @latency counts */
	__u64 zap_ns;
	__u64 by_ioctl, by_gmem;	/* what changed at least one page, by the VM's ioctl and by guest_memfd's */
	__u64 undone;		/* of these, what took back another one */
	__u64 huge_mapped;	/* huge pages that faults and memory mapped ahead have mapped */
	__u64 latency[TOP_BUCKETS];	/* ns, of to_private and to_shared */
	__u64 zap_latency[TOP_BUCKETS];	/* ns, of zaps */
};

/* KVM's own statistics of a VM. */
struct top_stats {
	__u64 huge_pages;	/* mapped at the moment, of 2M and 1G */
	__u64 refused;
	__u64 host_refused;
	__u64 pages_private, pages_shared;	/* that have become so */
	__u64 zapped_pages;
	__u64 widened_pages;	/* of these, those that a policy added */
	__u64 policy_calls, policy_ns;
	__u64 ejections;
	__u64 prefaulted_pages, prefaulted_unused;
	__u64 gmem_huge_allocated, gmem_huge_refused, gmem_huge_declined, gmem_huge_splits;
};

struct top_stats_of_vm {
	struct top_stats first;	/* when it got its slot */
	struct top_stats now;	/* when they were asked for */
	struct top_stats last;	/* at its end */
};

/* What the guest_memfds of a VM's memslots hold. */
struct top_gmem {
	__u64 birth;		/* of the VM; another one: nobody has looked yet */
	__u64 pages;
	__u64 private_at_first;	/* pages that were private when the files were created; in place only */
};

/* Of all VMs together: files, and ranges that were converted last. */
#define GMEM_FILES	16384
#define WAYS_RANGES	16384

/* What a VM's counts are divided into. */
enum top_part_kind {
	PART_VCPU,	/* by number: exits */
	PART_EXIT,	/* by reason: exits, and returns of KVM_RUN to userspace */
	PART_FAULT,	/* by alias and level: stage-2 faults, and memory mapped ahead */
	PART_KINDS,
};

/* Whose number a reason is. <asm/kvm_host.h> numbers the first two. */
enum top_reason_of {
	REASON_VMX = 1,
	REASON_SVM,
	REASON_USER,		/* KVM_EXIT_* */
	REASON_USER_ERROR,	/* errno of KVM_RUN */
};

/* Parts are signed, because rows have a long of them, and from 0 up. */
#define PART_EXIT_OF(reason_of, number)	((__s64)(reason_of) << 32 | (__u32)(number))
#define PART_FAULT_OF(alias, level)	((__s64)(alias) * LEVEL_COUNT + (level))

#define USER_EXIT_MEMORY_FAULT	39	/* KVM_EXIT_MEMORY_FAULT, which <linux/kvm.h> has since 6.8 */

struct top_series_key {
	__u32 slot;
	__u32 kind;	/* enum top_part_kind */
	__s64 part;
};

/* Running totals of one part of a VM, 2 KiB. */
struct top_series {
	__u64 used;	/* 0: free. Written last */
	struct top_series_key key;
	__u64 count;
	__u64 ns;	/* total: from exit to entry, or of faults */

	/* PART_VCPU. Only the vCPU's thread writes to this series. */
	__u64 exit_ns;		/* when the exit began that has not come to its end; 0: there is none */
	__u32 exit_series;	/* that of its reason */
	__u32 user_series;	/* that of the last return to userspace, whose reason is @user_part; 0: there was none */
	__s64 user_part;

	/* PART_FAULT */
	__u64 late;		/* of the faults, those on pages that had been mapped ahead */
	__u64 ahead_pages;	/* mapped ahead, or found mapped */
	__u64 ahead_new_pages;	/* of these, those that were not mapped before */

	__u64 latency[TOP_BUCKETS];	/* ns */
};

#define SERIES_CACHE_BITS	6
#define SERIES_CACHE		(1 << SERIES_CACHE_BITS)

/* A CPU's memory of a series that it has looked up. */
struct top_cached {
	__u64 tag;	/* a struct top_series_key in one number, never 0; 0: nothing is remembered */
	__u32 id;
	__u32 pad;
};

/* These parts take at most 35 bits. */
#define TAG_OF(slot, kind, part)	((__u64)(slot) << 40 | (__u64)(kind) << 36 | (__u64)(part))
#define SLOT_OF_TAG(tag)		((__u32)((tag) >> 40))
#define KIND_OF_TAG(tag)		((__u32)((tag) >> 36 & 0xf))
#define PART_OF_TAG(tag)		((__s64)((tag) & ((1ULL << 36) - 1)))

/*
 * One per CPU, 9 KiB. Only that CPU writes to it: an exit takes neither an atomic nor a shared
 * cache line.
 */
struct top_cpu {
	/* What the CPU remembers saves lookups for as long as the epoch stays the same. */
	__u32 epoch;
	__u32 slot;		/* of the VM of the last event that is not an exit or an entry */
	__u64 kvm;		/* that VM; 0: not known */
	__u64 vcpu;		/* of the last exit or entry; 0: not known */
	__u32 vcpu_slot;
	__u32 vcpu_series;
	__u64 lost;		/* events of VMs without a slot, or without a series */
	__u64 pad[3];		/* exits start on a cache line of their own */
	__u64 exits[VM_SLOTS];
	struct top_cached cached[SERIES_CACHE];
};

#endif
