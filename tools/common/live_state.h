/* SPDX-License-Identifier: GPL-2.0 */
/* The state of the screen, shared by live.c, which runs it, live_draw.c, live_help.c and live_keys.c. */
#ifndef MEMATTR_LIVE_STATE_H
#define MEMATTR_LIVE_STATE_H

#include <limits.h>

#include "history.h"
#include "rows.h"
#include "source.h"
#include "view.h"

/* Identifies the marked row, which stays marked when rows change places, and the VM from view to view. */
struct mark {
	bool set;
	struct snapshot_vm vm;
	long part;		/* ALL_PARTS: any of the VM */
};

#define NOWHERE (-1)	/* for a pid: the mark has moved, and nothing has been drawn since */

/* What a view shows, and how. */
struct place {
	int sheet;
	bool one_vm;		/* only @vm, into which Enter has led */
	struct snapshot_vm vm;
};

/* How the user left a table is how it comes back. */
struct habit {
	int sort, skipped;
	bool reverse;
	size_t first_row;
};

#define PLACES_MAX 8

struct live {
	const struct tool *tool;
	const struct args *args;
	struct source source;
	struct snapshot *before, *now;
	struct view view;
	struct place place;
	struct place left[PLACES_MAX];	/* for Esc, the last one last */
	int left_count;
	struct habit habits[SHEETS_MAX];
	struct history histories[SHEETS_MAX];
	struct snapshot *base;	/* what totals are counted from since the key r; NULL: the start */
	long position;		/* snapshots that were read */
	char said[PATH_MAX + 64];	/* what a key came to, until the next one */

	size_t first_row;
	size_t marked_row;
	struct mark mark;
	size_t row_count;	/* when it was drawn last, as is */
	int page;		/* rows that fit the screen */
	int rows_y;		/* the line of the first one, below the heading */
};

static inline const struct sheet *sheet_of(const struct live *live)
{
	return &live->tool->sheets[live->place.sheet];
}

/* live.c: returns false on failure, and @why says why; or, with @why empty, at the end of the record. */
bool live_snapshot(struct live *live, struct diag *why);

/* live_draw.c */
void live_draw(struct live *live);
/* Rates, or counts since the start or since the key r. */
struct pair live_pair(const struct live *live);
/* Returns the VM that was chosen, as the last snapshot has it, or else the first one; NULL: there is none. */
const struct snapshot_vm *live_vm(const struct live *live);

/* live_help.c: the first page of the help, and the second one */
void live_help(const struct live *live);
void live_columns(const struct live *live);

/* live_keys.c: what a key does that view.c has no use for */
void live_key(struct live *live, int key);

#endif
