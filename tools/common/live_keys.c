// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "live_state.h"
#include "saved.h"

#define WHEEL_ROWS	3

static void mark_row(struct live *live, long row)
{
	if (row >= (long)live->row_count)
		row = (long)live->row_count - 1;
	live->marked_row = row > 0 ? row : 0;
	live->mark = (struct mark){ .set = true, .vm.pid = NOWHERE };
}

static void move_mark(struct live *live, long by)
{
	long to = (long)live->marked_row + by;

	/* The first key shows where the mark is. */
	if (!live->mark.set)
		to = by > 0 ? 0 : (long)live->marked_row;
	mark_row(live, to);
}

/* The mark stays in its place on the screen, where there is more to scroll. */
static void scroll_rows(struct live *live, long by)
{
	long first = (long)live->first_row + by;

	mark_row(live, (long)live->marked_row + by);
	live->first_row = first > 0 ? first : 0;
}

static void click_heading(struct live *live, int x)
{
	struct table *table = &live->view.table;
	int column = table_column_at(table, x);

	if (column < 0 || table->columns[column].unsorted)
		return;
	if (column == table->sort)
		live->view.reverse = !live->view.reverse;
	table->sort = column;
}

static void use_event(struct live *live, const MEVENT *event)
{
	int row = event->y - live->rows_y;

	if (event->bstate & BUTTON4_PRESSED)
		scroll_rows(live, -WHEEL_ROWS);
	else if (event->bstate & BUTTON5_PRESSED)
		scroll_rows(live, WHEEL_ROWS);
	if (!(event->bstate & MOUSE_CLICK))
		return;
	if (row == -1)
		click_heading(live, event->x);
	else if (row >= 0 && row < live->page && live->first_row + row < live->row_count)
		mark_row(live, (long)live->first_row + row);
}

static void use_mouse(struct live *live)
{
	MEVENT event;

	while (getmouse(&event) == OK)
		if (live->view.has_table)
			use_event(live, &event);
}

/* What is new on the screen begins to be collected: a snapshot at once is the start of its first interval. */
static void show(struct live *live, struct place place)
{
	struct habit *old = &live->habits[live->place.sheet], *new = &live->habits[place.sheet];
	struct table *table = &live->view.table;

	*old = (struct habit){ table->sort, table->skipped, live->view.reverse, live->first_row };
	table->sort = new->sort;
	table->skipped = new->skipped;
	live->view.reverse = new->reverse;
	live->first_row = new->first_row;
	live->mark.part = ALL_PARTS;
	live->place = place;
	live->view.has_table = !sheet_of(live)->draw;
	if (!live->source.replay)
		live->view.interval.deadline_ns = monotonic_ns();
}

static void show_sheet(struct live *live, int sheet)
{
	struct place place = live->place;

	place.sheet = sheet;
	if (sheet < live->tool->sheet_count && sheet != live->place.sheet)
		show(live, place);
}

static void enter_row(struct live *live)
{
	struct place place = { .sheet = sheet_of(live)->enter, .one_vm = true };

	/* Drawing finds out which VM a mark that has moved is on. */
	if (live->mark.set && live->mark.vm.pid == NOWHERE)
		live_draw(live);
	if (!place.sheet || !live->mark.set || !live->row_count || live->left_count == PLACES_MAX)
		return;
	place.vm = live->mark.vm;
	live->left[live->left_count++] = live->place;
	show(live, place);
}

static void go_back(struct live *live)
{
	struct place first = {};

	if (live->left_count)
		show(live, live->left[--live->left_count]);
	else if (live->place.sheet)
		show(live, first);
}

static bool sheet_key(struct live *live, int key)
{
	struct pair pair = live_pair(live);
	const struct snapshot_vm *vm = live_vm(live);

	if (sheet_of(live)->key && vm && sheet_of(live)->key(key, &pair, vm))
		return true;
	if (key == 'v')
		show_sheet(live, (live->place.sheet + 1) % live->tool->sheet_count);
	else if (key >= '1' && key <= '9')
		show_sheet(live, key - '1');
	else if (key == '\n' || key == KEY_ENTER)
		enter_row(live);
	else if (key == ESCAPE)
		go_back(live);
	else
		return false;
	return true;
}

/* Goes to an interval of the record that is that many later or earlier. */
static void seek(struct live *live, long by)
{
	long to = live->position + by > 2 ? live->position + by : 2;
	struct diag why = {};

	if (!live->source.replay)
		return;
	if (to < live->position) {
		if (source_rewind(&live->source, &why)) {
			snprintf(live->said, sizeof(live->said), "%.100s", why.cause);
			live->view.complaint = live->said;
			return;
		}
		live->position = 0;
	}
	live->view.ended = NULL;
	while (live->position < to && live_snapshot(live, &why))
		;
}

/* Shows everything again, in the first order; totals begin now. */
static void reset(struct live *live)
{
	live->view.filter[0] = '\0';
	live->view.reverse = false;
	live->view.table.sort = sheet_of(live)->sort;
	live->view.table.skipped = 0;
	snapshot_free(live->base);
	live->base = snapshot_hold(live->now);
}

static void save(struct live *live)
{
	struct saved saved = { live->view.delay_s, live->view.totals, live->place.sheet, {} };
	char path[PATH_MAX];
	int err;

	for (int i = 0; i < live->tool->sheet_count; i++)
		saved.orders[i] = (struct saved_order){ live->habits[i].sort, live->habits[i].reverse };
	saved.orders[live->place.sheet] = (struct saved_order){ live->view.table.sort, live->view.reverse };
	err = saved_write(live->tool, &saved, path, sizeof(path));
	if (err == -ENOENT && !getenv("HOME"))
		snprintf(live->said, sizeof(live->said), "not saved: neither HOME nor XDG_CONFIG_HOME is set");
	else if (err)
		snprintf(live->said, sizeof(live->said), "%s: %s", path, strerror(-err));
	else
		snprintf(live->said, sizeof(live->said), "saved in %s, for the next start", path);
	live->view.complaint = live->said;
}

void live_key(struct live *live, int key)
{
	if (sheet_key(live, key))
		return;
	if (key == '[' || key == ']')
		seek(live, key == '[' ? -10 : 10);
	else if (key == '{' || key == '}')
		seek(live, key == '{' ? -100 : 100);
	else if (key == 'r')
		reset(live);
	else if (key == 'W')
		save(live);
	else if (key == 'a' && live->tool->acknowledge)
		live->tool->acknowledge();
	else if (key == 'i')
		live->view.mode = VIEW_BASIS;
	else if (key == 'l')
		live->view.mode = VIEW_PAGE;
	else if (key == KEY_MOUSE)
		use_mouse(live);
	else if (key == KEY_UP || key == KEY_DOWN)
		move_mark(live, key == KEY_UP ? -1 : 1);
	else if (key == KEY_PPAGE || key == KEY_NPAGE)
		move_mark(live, key == KEY_PPAGE ? -live->page : live->page);
	else if (key == KEY_HOME || key == KEY_END)
		move_mark(live, key == KEY_HOME ? -(long)live->row_count : (long)live->row_count);
}
