/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that a view may know: plain data taken at one moment. A view works on a pair of snapshots, and asks
 * neither the kernel nor the collector for anything.
 */
#ifndef MEMATTR_TOP_SNAPSHOT_H
#define MEMATTR_TOP_SNAPSHOT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "counts.h"
#include "truth.h"
#include "vm.h"

/* The groups of figures, each of which can be missing on some kernel. */
enum measure {
	MEASURE_EXITS		= 1 << 0,
	MEASURE_CONVERSIONS	= 1 << 1,	/* direction and effective pages */
	MEASURE_REQUESTS	= 1 << 2,	/* requested pages, denied, failed, latency */
	MEASURE_ZAPS		= 1 << 3,
	MEASURE_POLICY		= 1 << 4,
};

/* The metrics, for each of which hooks.c lists hooks. */
enum metric {
	METRIC_EXITS,
	METRIC_CONVERSIONS,
	METRIC_ZAPS,
	METRIC_VM_END,
	METRIC_COUNT,
};

struct snapshot_vm {
	uint64_t birth;		/* identifies the VM even if numbers or addresses are reused; 0: no event yet */
	pid_t pid;
	pid_t creator_tid;	/* with fd, the VM's name in debugfs; 0: not known */
	int fd;
	char name[VM_NAME_LEN];
	char policy[VM_POLICY_NAME_LEN];	/* empty: none */
	bool policy_known;	/* false if the VM came and went between two snapshots */
	bool ended;		/* these are its last figures */
	uint64_t exits;
	struct top_counts counts;
};

struct snapshot {
	uint64_t time_ns;	/* CLOCK_MONOTONIC */
	time_t wall;
	unsigned int measured;	/* enum measure */
	struct snapshot_hook hooks[METRIC_COUNT];

	/* Totals since the start. */
	uint64_t lost_events;	/* of VMs without a slot, or missed by the kernel */
	struct snapshot_cost cost;

	bool idle_listed;	/* VMs without an event are in the list too */
	size_t vm_count;
	struct snapshot_vm *vms;
};

#endif
