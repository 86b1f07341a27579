/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PREFAULT_TRACE_VIEWS_H
#define PREFAULT_TRACE_VIEWS_H

#include "args.h"
#include "clock.h"
#include "rows.h"
#include "source.h"

struct view_options {
	struct rows_options rows;
	bool json;
	double delay_s;
	unsigned long count;	/* snapshots until the end; 0: none */
	unsigned int slowest;	/* how many of the slowest faults are shown */
	FILE *folded;		/* where stacks go at the end; NULL: nowhere */
};

/* Both return the exit status, 0 after SIGINT and SIGTERM. */
int batch_run(struct source *source, const struct view_options *options);
int live_run(struct source *source, const struct view_options *options);

/* One document, in one line. */
void json_snapshot(FILE *out, const struct snapshot *before, const struct snapshot *now,
		   const struct view_options *options);

/* Why there is nothing to show. */
void explain_empty(char *text, size_t size, pid_t pid);

/* The stacks, if they were asked for. The exit status, having said why it is not 0. */
int write_folded(const struct view_options *options, const struct snapshot *s);

#endif
