/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the BPF programs write and the collector reads. Shared by BPF and C.
 */
#ifndef PREFAULT_TRACE_EVENTS_H
#define PREFAULT_TRACE_EVENTS_H

#include <linux/bpf.h>

#include "h2.h"
#include "vm_slots.h"

/*
 * A vCPU takes a handful: its private and its shared faults, at each level that occurs, by result. 4,096
 * take 17 MiB of kernel memory; --series asks for more.
 */
#define TRACE_SERIES		4096
#define TRACE_SERIES_MAX	(1 << 18)

#define TRACE_SLOW		32	/* slowest faults that are kept */
#define TRACE_FRAMES		24	/* of their stacks; KVM's own are some 15 */
#define TRACE_FOLDED_FRAMES	64	/* of stacks for --folded */
#define TRACE_STACKS		4096	/* different ones, for --folded */

enum trace_event {
	EVENT_FAULT,	/* the guest touched what was not mapped for it, or not so */
	EVENT_CALL,	/* one KVM_PRE_FAULT_MEMORY */
	EVENT_MAP,	/* pages that were mapped before the guest asked */
	EVENT_WINDOW,	/* a policy proposed what else to map */
};

enum trace_alias {
	ALIAS_SHARED,
	ALIAS_PRIVATE,
	ALIAS_UNKNOWN,	/* a call can reach over both; some hooks do not tell */
};

enum trace_access {
	ACCESS_READ,
	ACCESS_WRITE,
	ACCESS_EXEC,
	ACCESS_UNKNOWN,	/* nothing was accessed */
};

/* Why a policy was asked, enum kvm_memattr_prefault_reason. */
enum trace_reason {
	REASON_FAULT,
	REASON_CONVERT,
	REASON_IOCTL,
};

#define LEVEL_NONE	0	/* nothing was mapped; then 1, 2, 3: 4K, 2M, 1G */

/* Results of KVM's page faults, RET_PF_* of arch/x86/kvm/mmu/mmu_internal.h; below 0 it is -errno. */
#define RESULT_CONTINUE		0
#define RESULT_RETRY		1
#define RESULT_EMULATE		2
#define RESULT_WRITE_PROTECTED	3
#define RESULT_INVALID		4
#define RESULT_FIXED		5
#define RESULT_SPURIOUS		6
#define RESULT_UNKNOWN		7	/* ours: the hook does not tell */

/* What is counted apart. No padding: it is the key of a map. */
struct trace_kind {
	__u8 event;	/* enum trace_event, and so on */
	__u8 alias;
	__u8 level;
	__u8 access;
	__s16 result;
	__u8 prefaulted;	/* EVENT_FAULT: the page had been mapped ahead, and not touched */
	__u8 reason;	/* EVENT_WINDOW */
};

/* The vCPU of what is no vCPU's: a conversion is the VM's. */
#define NO_VCPU (~0U)

/* Running totals of one kind of event of one vCPU. */
struct trace_series {
	__u64 used;	/* 0: free. Written last */
	__u32 vm;	/* slot */
	__u32 vcpu;
	struct trace_kind kind;
	__u64 count;
	__u64 ns;	/* of all */
	__u64 max_ns;
	__u64 pages;	/* EVENT_CALL: asked for; EVENT_MAP: mapped, or found so; EVENT_WINDOW: proposed */
	__u64 done_pages;	/* EVENT_CALL: done; EVENT_MAP: not mapped before; EVENT_WINDOW: granted */
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

/* As many as are full, in no order. */
struct trace_slow_table {
	struct bpf_spin_lock lock;
	__u32 count;
	__u32 least;	/* of the entries the one to go first */
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
