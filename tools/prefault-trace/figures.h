/* SPDX-License-Identifier: GPL-2.0 */
/* What prefault-trace knows of a VM, and the figures that it shows. */
#ifndef PREFAULT_TRACE_FIGURES_H
#define PREFAULT_TRACE_FIGURES_H

#include "tool.h"

#include "events.h"

/* The groups of figures, each of which can be missing on some kernel. */
enum measure {
	MEASURE_FAULTS		= 1 << 0,	/* count and access */
	MEASURE_FAULT_ENDS	= 1 << 1,	/* level, alias, result, latency */
	MEASURE_CALLS		= 1 << 2,
	MEASURE_PAGES		= 1 << 3,	/* that were mapped ahead */
	MEASURE_LATE		= 1 << 4,	/* faults of such pages */
	MEASURE_WINDOWS		= 1 << 5,	/* that policies propose */
	MEASURE_USE		= 1 << 6,	/* what became of pages that were mapped ahead */
	MEASURE_READ_ONLY	= 1 << 7,	/* which of these pages the first write faults on */
};

/* The metrics. Each comes from the first of several hooks that works (hooks.c), METRIC_USE from a file (use.c). */
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

/* The lists of a snapshot. */
enum trace_list {
	LIST_VMS,
	LIST_SERIES,
	LIST_SLOW,
	LIST_STACKS,
	LIST_COUNT,
};

/* KVM's own counts of a VM since the VM was created, in pages. */
struct vm_use {
	uint64_t time_ns;	/* CLOCK_MONOTONIC; 0: not known */
	uint64_t mapped;	/* ahead */
	uint64_t unused;	/* taken away before the guest touched them */
	uint64_t untouched;	/* mapped, and not touched so far */
};

struct trace_vm {
	struct snapshot_vm vm;
	struct vm_use use;
};

/* As struct trace_series. */
struct series {
	uint64_t birth;		/* the VM's */
	uint32_t vcpu;
	struct trace_kind kind;
	uint64_t count, ns, max_ns;
	uint64_t pages, done_pages;
	struct histogram latency;
};

struct slow {
	uint64_t ns, gpa;
	pid_t pid;
	uint32_t vcpu;
	struct trace_kind kind;
	char name[TASK_COMM_LEN];
	char *frames;		/* innermost first, separated by ';' */
};

struct stack {
	uint64_t count, ns;
	pid_t pid;
	char *folded;		/* outermost first, separated by ';' */
};

extern const struct list_type trace_lists[LIST_COUNT];

struct figures {
	uint64_t faults;
	uint64_t private_faults, shared_faults;
	uint64_t levels[4];	/* faults that found or made a mapping, by its level; [0] is not used */
	uint64_t fixed, spurious, retried;
	uint64_t late;		/* of pages that had been mapped ahead */
	uint64_t other;		/* emulated, write-protected and rare ones */
	uint64_t failed;
	struct latency fault;

	uint64_t calls;
	uint64_t failed_calls;
	uint64_t asked_pages, done_pages;
	struct latency call;

	uint64_t old_pages, new_pages;	/* mapped ahead by anybody: mapped already, or not */
	uint64_t ro_pages;	/* of the new ones; they fault again at the first write */

	uint64_t windows;	/* that policies proposed */
	uint64_t proposed_pages, granted_pages;

	/* Only for VMs: KVM does not tell for which vCPU a page was mapped. */
	struct cell touched, unused, untouched, used_percent;
};

/* figures.c */
void fill_figures(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long vcpu);
long next_vcpu(const struct snapshot *s, const struct snapshot_vm *vm, long vcpu);
/* Calls each() with what each series of the vCPU has counted since the snapshot before. */
void each_series(const struct pair *pair, const struct snapshot_vm *vm, long vcpu,
		 void (*each)(const struct series *now, const struct series *then, void *arg), void *arg);
/* Returns how many pages were mapped ahead and then touched by the guest. */
uint64_t touched_pages(const struct vm_use *use);

/* columns.c */
enum sheet_id {
	SHEET_VMS,
	SHEET_VCPUS,	/* the same columns */
	SHEET_COUNT,
};

extern const struct sheet sheets[SHEET_COUNT];
extern const char *const measures[];	/* names of enum measure */

struct trace_args {
	struct args args;	/* first: the engine knows only this */
	int slowest;		/* how many of the slowest faults are shown; -1: not given */
	unsigned int series;	/* how many there can be */
};

/* details.c */
void json_row(struct json *json, const struct row *row);
void json_slowest(struct json *json, const struct snapshot *now, const struct args *args);
void print_slowest(FILE *out, const struct snapshot *now, const struct args *args);
void write_folded(FILE *out, const struct snapshot *last, pid_t pid);

/* Returns the next of the slowest faults at or after *@at that is wanted, or NULL. */
const struct slow *next_slow(const struct snapshot *now, const struct args *args, size_t *at);

/* slowest.c */
bool has_slowest(const struct snapshot *now, const struct args *args);
int draw_slowest(int y, int end, const struct snapshot *now, const struct args *args);

/* collect.c */
void *collector_open(const struct args *args, struct diag *why);
struct snapshot *collector_snapshot(void *collector);
struct snapshot *collector_last(void *collector);
void collector_close(void *collector);

#endif
