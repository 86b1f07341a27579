/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A table that is drawn anew after every interval and every key: what its keys change, and when the next
 * snapshot is due. What is in it, and what else is drawn, is up to the tool.
 */
#ifndef MEMATTR_VIEW_H
#define MEMATTR_VIEW_H

#include "table.h"
#include "truth.h"

/* On fewer the VMs need all of them. */
#define LINES_FOR_TITLE	4

#define PROMPT_LEN	16

enum view_mode {
	VIEW_TABLE,
	VIEW_HELP,
	VIEW_OTHER,	/* a page of the tool's own; any key leaves it, as it does the help */
	VIEW_SORT,	/* menu */
	VIEW_DELAY,	/* prompt */
};

struct view {
	struct table table;
	bool totals, reverse;
	double delay_s;

	bool paused, quit;
	bool ended;	/* there are no more snapshots */
	uint64_t taken_ns;	/* when the last was */
	uint64_t deadline_ns;	/* of the next */

	enum view_mode mode;
	int sort_choice;	/* in the menu */
	char prompt[PROMPT_LEN];
	const char *complaint;

	SCREEN *screen;
	int signals;
	bool has_keys;
};

/* EXIT_OK, or reports the error, with @next as what to try. */
int view_open(struct view *view, const char *next);
void view_close(struct view *view);

/* Until there are keys, or a snapshot is due, or the screen has to be drawn anew. 0 or -errno. */
int view_wait(struct view *view);

/* Heeds the keys that every view has. The next that is the tool's own; ERR: there are no more. */
int view_key(struct view *view);

bool view_is_due(const struct view *view);
void view_taken(struct view *view, uint64_t now_ns);

/* The first line, and whether time stands still. */
void view_title(const struct view *view, const char *text);

/* What the figures rest on, in the lines below it. */
void view_truth(struct flow *flow, const struct snapshot_hook *hooks, int count, uint64_t lost_events);

/* Below a page of help of so many @lines, if the screen has fewer. */
void view_help_end(int lines, const char *manual);

/* The last line: @keys, unless there is something else to say or to ask. */
void view_bottom(const struct view *view, const char *keys);

#endif
