/* SPDX-License-Identifier: GPL-2.0 */
/* What memattr-top knows of a VM, and the figures that it shows. */
#ifndef MEMATTR_TOP_FIGURES_H
#define MEMATTR_TOP_FIGURES_H

#include "histogram.h"
#include "tool.h"

#include "counts.h"

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

/* As in struct top_counts; totals since the VM was first seen, or of an interval. All members have one type. */
struct numbers {
	uint64_t exits;
	uint64_t to_private, to_shared, noop;
	uint64_t denied, failed, held;
	uint64_t requested_pages, effective_pages, zap_pages;
	uint64_t latency_ns;	/* the sum of all that are in the histogram */
};

/* KVM's own statistics of the VM's policies, since the VM was created. */
struct policy_totals {
	uint64_t calls, ns;
	uint64_t refused, host_refused;
	uint64_t widened_pages;
	uint64_t ejections;
};

struct top_vm {
	struct snapshot_vm vm;
	char policy[VM_POLICY_NAME_LEN];	/* empty: none */
	bool policy_known;	/* false if the VM came and went between two snapshots */
	/* The policy that left last; empty: none has left. */
	bool ejected;		/* it broke a rule */
	char left[VM_POLICY_NAME_LEN + VM_EXIT_KIND_LEN];	/* "seal:bad-return" */
	char left_text[VM_EXIT_TEXT_LEN];
	bool policy_counted;
	struct policy_totals policy_totals;
	uint64_t ejected_at;	/* when the last ejection was noticed, in seconds since 1970; 0: there was none */
	struct numbers numbers;
	struct histogram latency;	/* ns, of conversions */
};

struct figures {
	struct numbers numbers;
	struct latency latency;
};

/* The only list of a snapshot. */
extern const struct list_type top_lists[1];

/* metrics.c */
extern const struct metrics top_metrics;

/* collect.c */
void *collector_open(const struct args *args, struct diag *why);
struct snapshot *collector_snapshot(void *collector);
void collector_close(void *collector);

/* columns.c */
enum sheet_id {
	SHEET_VMS,
	SHEET_CONVERSIONS,
	SHEET_COUNT,
};

extern const struct sheet sheets[SHEET_COUNT];
extern const char *const measures[];	/* names of enum measure */
void fill_figures(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long part);

/* policies.c: what happened to policies, and what the operator has to see of it */
void note_ejections(const struct snapshot *now);
bool ejection_alert(char *text, size_t size);
void acknowledge_ejections(void);
bool has_left(const struct snapshot *now, const struct args *args);
int draw_left(int y, int end, const struct snapshot *now, const struct args *args);

#endif
