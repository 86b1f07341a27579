/* SPDX-License-Identifier: GPL-2.0 */
/* A tool's columns: what each is called, and where its figure comes from. */
#ifndef MEMATTR_COLUMN_H
#define MEMATTR_COLUMN_H

#include "cell.h"
#include "histogram.h"
#include "snapshot.h"

struct row;

/* One line of a tool's columns.c; the order is the one on the screen. Most members come from the macros below. */
struct column {
	const char *key;	/* in every format, in the manual, and in capitals as the heading of batch output */
	const char *title;	/* on the screen */
	enum cell_unit unit;
	enum {
		FROM_COUNT,	/* uint64_t */
		FROM_LATENCY,	/* struct latency, of which @percent is shown */
		FROM_CELL,	/* struct cell */
		FROM_ROW,	/* number() */
		FROM_TEXT,	/* text() */
	} from;
	size_t at;		/* in the tool's figures */
	double percent;
	unsigned int needs;	/* enum measure: without one of them it is n/a */
	int width;		/* on a narrow screen; of text also in batch output; 0: five digits */
	bool trend;		/* the sheet's history, on the screen only */
	bool warns;		/* more than 0 is worth a colour */
	const char *help;
	bool (*number)(const struct row *row, double *number);
	const char *(*text)(const struct row *row);
};

#define COUNT(figures, member)	.unit = UNIT_COUNT, .from = FROM_COUNT, .at = offsetof(struct figures, member)
#define PERCENTILE(figures, member, of_all) \
	.unit = UNIT_NS, .from = FROM_LATENCY, .at = offsetof(struct figures, member), .percent = of_all
#define CELL(figures, member, is)	.unit = is, .from = FROM_CELL, .at = offsetof(struct figures, member)

/* The columns that every tool has. */
bool row_pid(const struct row *row, double *number);
const char *row_name(const struct row *row);
/* For a tool that has a column for it. "-": the process has none. */

/* Bars for the last minutes of what the sheet's trend() counts. */
#define COLUMN_TREND(of) { "trend", "TREND", UNIT_TEXT, .trend = true, .width = 5, .help = of }

#define COLUMN_PID	{ "pid", "PID", UNIT_NAME, .from = FROM_ROW, .number = row_pid, .width = 7, \
			  .help = "the VMM's process" }
#define COLUMN_NAME(is_wide)	{ "name", "NAME", UNIT_TEXT, .from = FROM_TEXT, .text = row_name, .width = is_wide, \
			  .help = "by the VMM's -name option, else its command" }

#endif
