/* SPDX-License-Identifier: GPL-2.0 */
/* A pair of snapshots as a sorted table, which all views show. */
#ifndef MEMATTR_ROWS_H
#define MEMATTR_ROWS_H

#include "tool.h"

struct row {
	const struct sheet *sheet;
	const struct pair *pair;
	const struct snapshot_vm *vm;
	long part;		/* or ALL_PARTS */
	const void *figures;	/* while the row is made only */
	struct cell *cells;	/* one for each column; unused for text */
};

struct rows {
	struct row *rows;
	struct cell *cells;
	size_t count;
};

struct rows_options {
	pid_t pid;		/* only VMs of this process; 0: all VMs */
	const struct snapshot_vm *only;	/* this VM; NULL: all */
	const char *filter;	/* VMs whose name has this; NULL: all */
	int sort;		/* column */
	bool reverse;
};

/* Pairs two snapshots for rates per second, or for counts since each VM was first seen. */
struct pair pair_of(const struct snapshot *before, const struct snapshot *now, bool totals);
/* The same with the counts of the interval instead of rates. */
struct pair counts_of(const struct snapshot *before, const struct snapshot *now, bool totals);

/*
 * Builds the rows, which point into @pair. Numbers sort from the highest down, text from A to Z; cells without a
 * number come last. Returns 0 or -ENOMEM.
 */
int rows_build(struct rows *rows, const struct sheet *sheet, const struct pair *pair,
	       const struct rows_options *options);
void rows_free(struct rows *rows);

/* Makes rows one by one; it has room for one. */
struct row_walk {
	const struct sheet *sheet;
	const struct pair *pair;
	void *figures;
	struct cell *cells;
};

int row_walk_start(struct row_walk *walk, const struct sheet *sheet, const struct pair *pair);
void row_walk_end(struct row_walk *walk);
/* Fills in a row, which is valid until the next one. */
struct row row_make(const struct row_walk *walk, const struct snapshot_vm *vm, long part);

/* Returns whether both are the same VM. The first event of an idle VM gives it a birth. */
bool vm_is_row_of(const struct snapshot_vm *a, const struct snapshot_vm *b);

/* Returns whether it is a VM of this process, or of any if @pid is 0. */
bool vm_is_of(const struct snapshot_vm *vm, pid_t pid);

/* Returns the VMs of the process, in the order of their pids. The caller frees the array. NULL: out of memory. */
const struct snapshot_vm **vms_of(const struct snapshot *s, pid_t pid, size_t *count);

#endif
