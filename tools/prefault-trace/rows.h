/* SPDX-License-Identifier: GPL-2.0 */
/* A pair of snapshots as a sorted table, which both views show. */
#ifndef PREFAULT_TRACE_ROWS_H
#define PREFAULT_TRACE_ROWS_H

#include "cell.h"
#include "sums.h"

enum column {
	COLUMN_PID,
	COLUMN_NAME,
	COLUMN_VCPU,
	COLUMN_FAULTS,
	COLUMN_PRIVATE,
	COLUMN_SHARED,
	COLUMN_4K,
	COLUMN_2M,
	COLUMN_1G,
	COLUMN_SPURIOUS,
	COLUMN_RETRIED,
	COLUMN_OTHER,
	COLUMN_FAILED,
	COLUMN_P50_NS,
	COLUMN_P90_NS,
	COLUMN_P99_NS,
	COLUMN_MAX_NS,
	COLUMN_CALLS,
	COLUMN_FAILED_CALLS,
	COLUMN_CALL_P50_NS,
	COLUMN_CALL_P99_NS,
	COLUMN_DONE_PAGES,
	COLUMN_NEW_PAGES,
	COLUMN_OLD_PAGES,
	COLUMN_PREFAULTED,
	COLUMN_WINDOWS,
	COLUMN_PROPOSED_PAGES,
	COLUMN_GRANTED_PAGES,
	COLUMN_TOUCHED,
	COLUMN_UNUSED,
	COLUMN_UNTOUCHED,
	COLUMN_USED_PERCENT,
	COLUMN_COUNT,
};

#define VCPU_ALL (-1)

struct row {
	const struct snapshot_vm *vm;
	long vcpu;	/* or VCPU_ALL */
	struct sums sums;	/* the cells are computed from these */
	struct cell cells[COLUMN_COUNT];	/* unused for the name */
};

struct rows {
	struct row *rows;
	size_t count;
};

struct rows_options {
	bool totals;		/* since each VM was first seen, not per second */
	bool vcpus;		/* a row for each vCPU, not for each VM */
	pid_t pid;		/* only VMs of this process; 0: all VMs */
	enum column sort;
	bool reverse;
};

/*
 * Builds the rows, which point into @now. Without @before there are no rates yet. Numbers sort from the
 * highest down, text from A to Z; cells without a number come last. Returns 0 or -ENOMEM.
 */
int rows_build(struct rows *rows, const struct snapshot *before, const struct snapshot *now,
	       const struct rows_options *options);
void rows_free(struct rows *rows);

enum cell_unit column_unit(enum column column);

#endif
