/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that a view may know: plain data taken at one moment, or read back from a record. A view works on a
 * pair of snapshots, and asks neither the kernel nor the collector for anything.
 */
#ifndef PREFAULT_TRACE_SNAPSHOT_H
#define PREFAULT_TRACE_SNAPSHOT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "events.h"
#include "truth.h"
#include "vm.h"

/* The groups of figures, each of which can be missing on some kernel. */
enum measure {
	MEASURE_FAULTS		= 1 << 0,	/* count and access */
	MEASURE_FAULT_ENDS	= 1 << 1,	/* level, alias, result, latency */
	MEASURE_CALLS		= 1 << 2,
	MEASURE_PAGES		= 1 << 3,	/* that were mapped ahead */
	MEASURE_LATE		= 1 << 4,	/* faults of such pages */
	MEASURE_WINDOWS		= 1 << 5,	/* that policies propose */
	MEASURE_USE		= 1 << 6,	/* what became of pages that were mapped ahead */
};

/* The metrics. Each comes from a ladder of hooks (hooks.c), METRIC_USE from a file (use.c). */
enum metric {
	METRIC_FAULTS,
	METRIC_CALLS,
	METRIC_PAGES,
	METRIC_WINDOWS,
	METRIC_USE,
	METRIC_VM_END,
	METRIC_COUNT,
};

/* Views show the metrics before this one; METRIC_VM_END is not a figure. */
#define METRIC_SHOWN METRIC_VM_END

/* KVM's own counts of a VM since the VM was created, in pages. */
struct snapshot_use {
	uint64_t time_ns;	/* CLOCK_MONOTONIC; 0: not known */
	uint64_t prefaulted;	/* mapped ahead */
	uint64_t unused;	/* taken away before the guest touched them */
	uint64_t untouched;	/* mapped, and not touched so far */
};

struct snapshot_vm {
	uint64_t birth;		/* identifies the VM even if numbers or addresses are reused */
	pid_t pid;
	int fd;			/* of the VM, inside the process; -1: not known */
	bool ended;		/* these are its last figures */
	struct snapshot_use use;
	char name[VM_NAME_LEN];
};

struct snapshot_series {
	uint64_t birth;		/* the VM's */
	uint32_t vcpu;
	struct trace_kind kind;
	uint64_t count, ns, max_ns;
	uint64_t pages, done_pages;	/* as in struct trace_series */
	__u64 latency[H2_BUCKETS];
};

struct snapshot_slow {
	uint64_t ns, gpa;
	pid_t pid;
	uint32_t vcpu;
	struct trace_kind kind;
	char name[TASK_COMM_LEN];
	char *frames;		/* innermost first, separated by ';' */
};

struct snapshot_stack {
	uint64_t count, ns;
	pid_t pid;
	char *folded;		/* outermost first, separated by ';' */
};

struct snapshot {
	uint64_t time_ns;	/* CLOCK_MONOTONIC */
	time_t wall;
	unsigned int measured;	/* enum measure */
	struct snapshot_hook hooks[METRIC_COUNT];

	/* Totals since the start. */
	uint64_t lost_events;
	uint64_t lost_stacks;
	struct snapshot_cost cost;

	size_t vm_count;
	struct snapshot_vm *vms;
	size_t series_count;	/* sorted, see snapshot_compare_series() */
	struct snapshot_series *series;
	size_t slow_count;	/* slowest first */
	struct snapshot_slow *slow;
	bool folded;		/* stacks were asked for */
	size_t stack_count;
	struct snapshot_stack *stacks;
};

void snapshot_free(struct snapshot *snapshot);

/* Orders series by VM, vCPU and kind. */
int snapshot_compare_series(const void *a, const void *b);

/* Returns the VM that a series belongs to, or NULL if it is not in the snapshot. */
const struct snapshot_vm *snapshot_vm(const struct snapshot *snapshot, uint64_t birth);

/* Returns how many pages were mapped ahead and then touched by the guest. */
uint64_t snapshot_touched(const struct snapshot_use *use);

#endif
