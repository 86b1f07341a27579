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
	MEASURE_VCPUS		= 1 << 5,	/* exits of each vCPU */
	MEASURE_REASONS		= 1 << 6,	/* exits by reason */
	MEASURE_EXIT_NS		= 1 << 7,	/* time from exits to entries */
	MEASURE_USER_EXITS	= 1 << 8,
	MEASURE_FAULTS		= 1 << 9,
	MEASURE_LATE		= 1 << 10,	/* of the faults, those on pages that had been mapped ahead */
	MEASURE_AHEAD		= 1 << 11,
	MEASURE_ZAP_NS		= 1 << 12,
	MEASURE_HUGE		= 1 << 13,	/* huge pages that are mapped at the moment */
	MEASURE_STATS		= 1 << 14,	/* the statistics that the series adds */
	MEASURE_ZAP_COUNT	= 1 << 15,
	MEASURE_DIVIDED		= MEASURE_VCPUS | MEASURE_REASONS | MEASURE_EXIT_NS,
	MEASURE_PARTS		= MEASURE_DIVIDED | MEASURE_USER_EXITS | MEASURE_FAULTS | MEASURE_LATE | MEASURE_AHEAD,
	MEASURE_CHAINS		= 1 << 16,
	MEASURE_CHAIN_EXITS	= 1 << 17,
	MEASURE_CHAIN_FAULTS	= 1 << 18,
	MEASURE_MAP		= 1 << 19,	/* memslots */
	MEASURE_MAP_ATTRIBUTES	= 1 << 20,
	MEASURE_MAP_CONVERSIONS	= 1 << 21,
	MEASURE_MAP_FAULTS	= 1 << 22,
	MEASURE_GMEM		= 1 << 23,	/* memory that guest_memfds hold */
	MEASURE_WAYS		= 1 << 24,	/* conversions by the way that they come, and those that undo another */
	MEASURE_GMEM_HUGE	= 1 << 25,	/* hugepages of guest_memfd */
};

/* The metrics. hooks.c lists hooks for all but METRIC_REASONS and METRIC_STATS, which are read. */
enum metric {
	METRIC_EXITS,
	METRIC_CONVERSIONS,
	METRIC_ZAPS,
	METRIC_EXIT_NS,
	METRIC_USER_EXITS,
	METRIC_FAULTS,
	METRIC_AHEAD,
	METRIC_WAYS,
	METRIC_REASONS,		/* at each exit */
	METRIC_STATS,		/* for each snapshot */
	METRIC_VM_END,
	METRIC_COUNT,
};

/* As in struct top_counts and struct top_stats; totals since the VM was first seen, or of an interval. One type. */
struct numbers {
	uint64_t exits;
	uint64_t to_private, to_shared, noop;
	uint64_t denied, failed, held;
	uint64_t requested_pages, effective_pages;
	uint64_t by_ioctl, by_gmem, undone;
	uint64_t zaps, zap_pages, zap_ns;
	uint64_t huge_lost, huge_mapped;
	uint64_t widened_pages;
	uint64_t policy_calls, policy_ns;
	uint64_t refused, host_refused, ejections;
	uint64_t prefaulted_pages, prefaulted_unused;
	uint64_t gmem_huge_allocated, gmem_huge_refused, gmem_huge_declined, gmem_huge_splits;
	uint64_t latency_ns;	/* the sum of all that are in the histogram */
};

/* Nobody has looked at this VM yet, or the kernel does not tell. */
#define GMEM_NOT_KNOWN (-1)

struct top_vm {
	struct snapshot_vm vm;
	char policy[VM_POLICY_NAME_LEN];	/* empty: none */
	bool policy_known;	/* false if the VM came and went between two snapshots */
	uint32_t budget_us;	/* of the policy, for each call */
	/* The policy that left last; empty: none has left. */
	bool ejected;		/* it broke a rule */
	char left[VM_POLICY_NAME_LEN + VM_EXIT_KIND_LEN];	/* "seal:bad-return" */
	char left_text[VM_EXIT_TEXT_LEN];
	bool policy_counted;	/* these two are known */
	uint64_t ejections;	/* since the VM was created */
	uint64_t ejected_at;	/* when the last ejection was noticed, in seconds since 1970; 0: there was none */
	struct numbers numbers;
	uint64_t huge_pages;		/* mapped at the moment */
	int64_t private_pages;		/* of those that conversions have changed */
	int64_t gmem_pages;		/* that guest_memfds hold, or GMEM_NOT_KNOWN */
	int64_t gmem_private_pages;	/* of these; the same */
	struct histogram latency;	/* ns, of conversions */
	struct histogram zap_latency;	/* ns, of zaps */
};

/* As struct top_series. All members have one type. */
struct part_numbers {
	uint64_t count, ns;
	uint64_t late, ahead_pages, ahead_new_pages;
};

/* A part of a VM's counts: one of its vCPUs, a reason for exits, and so on. */
struct top_part {
	uint64_t birth;		/* the VM's */
	uint8_t kind;		/* enum top_part_kind */
	int64_t part;		/* from 0 up */
	struct part_numbers numbers;
	struct histogram latency;	/* ns */
};

struct figures {
	struct numbers numbers;
	struct latency latency, zap_latency;
	struct cell call_ns, budget_percent;
};

struct part_figures {
	struct part_numbers numbers;
	struct latency latency;
	struct cell time;	/* ns, per second; returns to userspace have none */
	struct cell share;	/* of the time of all such parts of the VM */
};

enum top_list {
	LIST_VMS,
	LIST_PARTS,
	LIST_CHAINS,
	LIST_CHAIN_WORSTS,
	LIST_RUNS,
	LIST_BLOCKS,
	LIST_COUNT,
};

extern const struct list_type top_lists[LIST_COUNT];

/* metrics.c */
extern const struct metrics top_metrics;

/* collect.c */
void *collector_open(const struct args *args, struct diag *why);
struct snapshot *collector_snapshot(void *collector);
void collector_close(void *collector);
/*
 * Says what is to be collected from now on. What the view of VMs shows always is; the rest costs nothing while nobody
 * wants it.
 */
void collector_want(void *collector, unsigned int measures, const struct snapshot_vm *vm);

/* columns.c */
enum sheet_id {
	SHEET_VMS,
	SHEET_VCPUS,
	SHEET_EXITS,
	SHEET_CONVERSIONS,
	SHEET_ZAPS,
	SHEET_FAULTS,
	SHEET_POLICY,
	SHEET_MAP,
	SHEET_CHAINS,
	SHEET_COUNT,
};

extern const struct sheet sheets[SHEET_COUNT];
extern const char *const measures[];	/* names of enum measure */
void fill_figures(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long part);

/* parts.c */
int compare_parts(const void *a, const void *b);
/* For the rows of views that show parts of one kind. */
long next_vcpu(const struct snapshot *s, const struct snapshot_vm *vm, long part);
long next_exit(const struct snapshot *s, const struct snapshot_vm *vm, long part);
long next_fault(const struct snapshot *s, const struct snapshot_vm *vm, long part);
void fill_vcpu(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long part);
void fill_exit(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long part);
void fill_fault(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long part);

/* exit_names.c: "npf", "user:memory_fault"; numbers that have no name here stay numbers. */
const char *exit_name(long part);
/* chain_columns.c */
struct chain_figures {
	struct cell count, total, mean, share;
};

extern const struct column chain_columns[7];
void fill_chain_figures(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long part);
long chain_next_link(const struct snapshot *s, const struct snapshot_vm *vm, long part);
int chain_draw_below(int y, int end, const struct snapshot *now, const struct args *args,
		     const struct snapshot_vm *only);
void chain_json_end(struct json *json, const struct snapshot *now, const struct args *args);

/* memmap_columns.c */
extern const struct column map_columns[6];
void fill_map_run(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long part);

/* memmap_draw.c */
void map_draw(int y, int end, const struct pair *pair, const struct snapshot_vm *vm);
bool map_key(int key, const struct pair *pair, const struct snapshot_vm *vm);

/* policies.c: what happened to policies, and what the operator has to see of it */
void note_ejections(const struct snapshot *now);
bool ejection_alert(char *text, size_t size);
void acknowledge_ejections(void);
bool has_left(const struct snapshot *now, const struct args *args);
int draw_left(int y, int end, const struct snapshot *now, const struct args *args);

#endif
