/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The data that the BPF programs write, and that the collector reads. Shared by BPF and C.
 */
#ifndef PREFAULT_TRACE_EVENTS_H
#define PREFAULT_TRACE_EVENTS_H

#include <linux/bpf.h>

#include "h2.h"
#include "stage2.h"
#include "vm_slots.h"

/*
 * A vCPU needs a handful of series: private and shared faults, by level and result. 4,096 series take 17 MiB
 * of kernel memory; --series asks for more.
 */
#define TRACE_SERIES		4096
#define TRACE_SERIES_MAX	(1 << 18)

#define TRACE_SLOW		32	/* slowest faults that are kept */
#define TRACE_FRAMES		24	/* frames of their stacks that are kept; some 15 are KVM's own */
#define TRACE_FOLDED_FRAMES	64	/* frames of each stack for --folded */
#define TRACE_STACKS		4096	/* different stacks for --folded */

enum trace_event {
	EVENT_FAULT,	/* the guest touched memory that was not mapped, or not for that access */
	EVENT_CALL,	/* one KVM_PRE_FAULT_MEMORY */
	EVENT_MAP,	/* pages were mapped ahead of the guest */
	EVENT_WINDOW,	/* a policy proposed pages to map ahead */
};

/* EVENT_MAP: ACCESS_READ if the first write faults again, as on the zero page; else ACCESS_UNKNOWN. */
enum trace_access {
	ACCESS_READ,
	ACCESS_WRITE,
	ACCESS_EXEC,
	ACCESS_UNKNOWN,	/* nothing was accessed */
};

/* Why a policy was asked; same as enum kvm_memattr_prefault_reason. */
enum trace_reason {
	REASON_FAULT,
	REASON_CONVERT,
	REASON_IOCTL,
};

/* Each kind of event is counted apart. There must be no padding: it is part of the key of a map. */
struct trace_kind {
	__u8 event;	/* enum trace_event, and so on */
	__u8 alias;
	__u8 level;
	__u8 access;
	__s16 result;
	__u8 prefaulted;	/* EVENT_FAULT: the page had been mapped ahead, and not touched */
	__u8 reason;	/* EVENT_WINDOW */
};

/* Stands for the vCPU where there is none: a conversion belongs to the VM. */
#define NO_VCPU (~0U)

/* Running totals of one kind of event of one vCPU. */
struct trace_series {
	__u64 used;	/* 0: free. Written last */
	__u32 vm;	/* slot */
	__u32 vcpu;
	struct trace_kind kind;
	__u64 count;
	__u64 ns;	/* total of all events */
	__u64 max_ns;
	__u64 pages;	/* EVENT_CALL: requested; EVENT_MAP: mapped, or found mapped; EVENT_WINDOW: proposed */
	__u64 done_pages;	/* EVENT_CALL: processed; EVENT_MAP: not mapped before; EVENT_WINDOW: granted */
	__u64 latency[H2_BUCKETS];
};

struct trace_series_key {
	__u32 vm;
	__u32 vcpu;
	struct trace_kind kind;
};

struct trace_slow {
	__u64 ns;
	__u64 gpa;
	__u32 pid;
	__u32 vcpu;
	struct trace_kind kind;
	char comm[TASK_COMM_LEN];
	__u32 frame_count;
	__u32 pad;
	__u64 frames[TRACE_FRAMES];
};

/* The first @count entries are in use, in no order. */
struct trace_slow_table {
	struct bpf_spin_lock lock;
	__u32 count;
	__u32 least;	/* the entry to be replaced first */
	__u32 pad;
	struct trace_slow entries[TRACE_SLOW];
};

struct trace_stack_key {
	__u32 pid;
	__s32 stack;	/* id in the stacks map; below 0: could not be stored */
	struct trace_kind kind;
	char comm[TASK_COMM_LEN];
};

struct trace_stack {
	__u64 count;
	__u64 ns;
};

#endif
