/* SPDX-License-Identifier: GPL-2.0 */
/* A pair of snapshots as a sorted table, which both views show. */
#ifndef MEMATTR_TOP_ROWS_H
#define MEMATTR_TOP_ROWS_H

#include "cell.h"
#include "snapshot.h"

enum column {
	COLUMN_PID,
	COLUMN_NAME,
	COLUMN_EXITS,
	COLUMN_TO_PRIVATE,
	COLUMN_TO_SHARED,
	COLUMN_EFFECTIVE_PAGES,
	COLUMN_REQUESTED_PAGES,
	COLUMN_ZAP_PAGES,
	COLUMN_DENIED,
	COLUMN_P50_NS,
	COLUMN_P99_NS,
	COLUMN_POLICY,
	COLUMN_HELD,
	COLUMN_COUNT,
};

struct row {
	const struct snapshot_vm *vm;
	const char *policy;	/* as the view shows it */
	struct cell cells[COLUMN_COUNT];	/* unused for the name and the policy */
};

struct rows {
	struct row *rows;
	size_t count;
};

struct rows_options {
	bool totals;		/* since each VM was first seen, not per second */
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
