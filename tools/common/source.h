/* SPDX-License-Identifier: GPL-2.0 */
/* Where snapshots come from, which is the collector or a record, and the files that they go to. */
#ifndef MEMATTR_SOURCE_H
#define MEMATTR_SOURCE_H

#include "clock.h"
#include "export.h"
#include "output.h"
#include "tool.h"

struct record_reader;

struct source {
	const struct tool *tool;
	const struct args *args;
	void *collector;	/* NULL: from the record */
	struct record_reader *replay;
	struct output record, folded;
	struct exporter exporter;
	int process;		/* pidfd of the only process that is wanted; -1: none, or it is not known */
	const struct interval *interval;	/* whose missed deadlines a snapshot tells; may be NULL */
	bool over;		/* that process has ended: there is nothing more to come */
	struct snapshot *recorded;	/* what the record has so far; a record holds changes */
	bool record_full;
};

/* Returns EXIT_OK, or another exit status and @why says why. */
int source_open(struct source *source, const struct tool *tool, const struct args *args, struct diag *why);

/* Collects these measures from now on, as in struct tool. A record has all. */
void source_want(struct source *source, unsigned int measures, const struct snapshot_vm *vm);

/*
 * Returns the next snapshot. Returns NULL on failure, and @why says why; or, with @why empty, at
 * the end.
 */
struct snapshot *source_next(struct source *source, struct diag *why);

/* Begins the record again. Returns EXIT_OK, or @why says why it cannot. */
int source_rewind(struct source *source, struct diag *why);

/* Writes what is written at the end, and closes everything. Returns the exit status, and reports why it is not 0. */
int source_close(struct source *source);

#endif
