/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A table that is redrawn after every interval and every key. This part knows what its keys change, and
 * when the next snapshot is due; live.c decides what is drawn.
 */
#ifndef MEMATTR_VIEW_H
#define MEMATTR_VIEW_H

#include "clock.h"
#include "snapshot.h"
#include "table.h"

/* A screen with fewer lines has no title: the VMs need all lines. */
#define LINES_FOR_TITLE	4

#define PROMPT_LEN	64

enum view_mode {
	VIEW_TABLE,
	VIEW_HELP,
	VIEW_COLUMNS,	/* the second page of the help */
	VIEW_BASIS,	/* what the figures rest on */
	VIEW_PAGE,	/* of the tool's own; any key leaves it, as with the help */
	VIEW_SORT,	/* menu */
	VIEW_DELAY,	/* prompts */
	VIEW_FILTER,
};

struct view {
	struct table table;
	bool has_table;		/* false: keys of columns are the picture's own */
	bool totals, reverse;
	double delay_s;

	bool paused, quit;
	const char *ended;	/* why there are no more snapshots; NULL: there are */
	struct interval interval;

	enum view_mode mode;
	int sort_choice;	/* in the menu */
	char prompt[PROMPT_LEN];
	char filter[PROMPT_LEN];	/* only VMs with this in their names; empty: all */
	const char *complaint;

	SCREEN *screen;
	int signals;
	bool has_keys;
};

/* Returns EXIT_OK, or reports the error with what to try for @tool. */
int view_open(struct view *view, const char *tool);
void view_close(struct view *view);

/* Waits for keys, for the next snapshot, or for a need to redraw the screen. Returns 0 or -errno. */
int view_wait(struct view *view);

/* Handles keys that every view has. Returns the next key that is the tool's own, or ERR without any. */
int view_key(struct view *view);

/* Returns whether the next snapshot is due, and then sets when the one after it is. */
bool view_is_due(struct view *view);

/* Draws the first line, with a word if the view is paused or the record has ended. */
void view_title(const struct view *view, const char *text);

/* Says below a page of help that it has more lines, if its @lines do not fit the screen. */
void view_help_end(int lines, const char *manual);

/* Draws the last line: @keys, unless there is a complaint or a prompt. */
void view_bottom(const struct view *view, const char *keys);

#endif
