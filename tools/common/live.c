// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "rows.h"
#include "view.h"

/* Identifies the marked row, which stays marked when rows change places. */
struct mark {
	bool set;
	struct snapshot_vm vm;
	long vcpu;
};

struct live {
	const struct tool *tool;
	const struct args *args;
	struct source source;
	struct snapshot *before, *now;
	struct view view;
	bool vcpus;

	size_t first_row;
	size_t marked_row;
	struct mark mark;
	size_t row_count;	/* when it was drawn last, as is */
	int page;		/* rows that fit the screen */
};

#define FIGURE_WIDTH	5
#define NAME_WIDER	8
#define TEXT_WIDER	8
#define TITLE_LEN	16

/* Room is enough for the units' "/s" only if all columns fit with it. */
static int column_width(const struct column *column, bool wide)
{
	int width = column->width ?: FIGURE_WIDTH, title = strlen(column->title);

	if (wide && column->unit == UNIT_COUNT)
		title += 2;
	return title > width ? title : width;
}

static int total_width(const struct tool *tool, bool wide)
{
	int total = tool->column_count - 1;

	for (int i = 0; i < tool->column_count; i++)
		total += column_width(&tool->columns[i], wide);
	return total;
}

/* Shares out the width that remains: names take half of it, and what no other text has a use for. */
static void widen_text(const struct tool *tool, struct table_column *places, int rest)
{
	int others = 0, most;

	for (int i = 0; i < tool->column_count; i++)
		others += places[i].text && !places[i].cut_middle ? TEXT_WIDER : 0;
	if (others > rest / 2)
		others = rest / 2;
	for (int i = 0; i < tool->column_count && rest > 0; i++) {
		if (!places[i].text)
			continue;
		most = places[i].cut_middle ? rest - others : TEXT_WIDER < rest ? TEXT_WIDER : rest;
		if (most > VM_NAME_LEN)
			most = VM_NAME_LEN;
		places[i].width += most;
		rest -= most;
	}
}

static void place_columns(struct live *live, char titles[][TITLE_LEN])
{
	const struct tool *tool = live->tool;
	/* Names have a better use for a little room than headings. */
	bool wide = COLS >= total_width(tool, true) + NAME_WIDER;

	for (int i = 0; i < tool->column_count; i++) {
		const struct column *column = &tool->columns[i];
		struct table_column *place = &live->view.table.columns[i];
		bool rate = wide && column->unit == UNIT_COUNT && !live->view.totals;

		snprintf(titles[i], TITLE_LEN, "%s%s", column->title, rate ? "/s" : "");
		*place = (struct table_column){
			.name = column->key,
			.title = titles[i],
			.width = column_width(column, wide),
			.text = column->unit == UNIT_TEXT,
			.cut_middle = column->text == row_name,
		};
	}
	widen_text(tool, live->view.table.columns, COLS - total_width(tool, wide));
	table_place(&live->view.table);
}

static void draw_title(const struct live *live, size_t count)
{
	char text[256], clock[16];

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&live->now->wall));
	snprintf(text, sizeof(text), "%s %s  %zu %s%s%s  every %.4g s  %s", live->tool->name, clock, count,
		 live->vcpus ? "vCPU" : "VM", count == 1 ? "" : "s",
		 live->args->pid ? " of one process" : "", live->view.delay_s,
		 live->view.totals ? "totals" : "per second");
	view_title(&live->view, text);
}

/* Draws the hooks that the figures come from. Returns the next line. */
static int draw_truth(const struct live *live)
{
	const struct snapshot *before = live->before, *now = live->now;
	/* With few lines, the table takes precedence. */
	struct flow flow = { .y = 1, .last = (LINES - 4) / 4 };
	char text[2 * HOOK_TEXT_LEN];

	if (flow.last < 1)
		return 1;
	view_truth(&flow, now->hooks, live->tool->shown_hooks, now->lost_events);
	if (live->tool->draw_truth)
		live->tool->draw_truth(&flow, now);
	cost_text(before ? &before->cost : NULL, &now->cost, before ? now->time_ns - before->time_ns : 0,
		  text, sizeof(text));
	flow_put(&flow, A_NORMAL, text);
	return (flow.y < flow.last ? flow.y : flow.last) + 1;
}

static chtype cell_attributes(const struct row *row, const struct column *column, const struct cell *cell,
			      bool marked)
{
	if (marked)
		return A_REVERSE;
	if (column->warns && cell->kind == CELL_NUMBER && cell->number > 0)
		return colour(COLOUR_WARNING);
	if (row->vm->ended || cell->kind == CELL_NOT_MEASURED)
		return A_DIM;
	return A_NORMAL;
}

static void draw_row(const struct live *live, int y, const struct row *row, bool marked)
{
	char text[32];

	if (marked) {
		attron(A_REVERSE);
		put_cell(y, 0, COLS, false, "");
		attroff(A_REVERSE);
	}
	for (int i = 0; i < live->tool->column_count; i++) {
		const struct column *column = &live->tool->columns[i];
		const char *word = column_text(column, row);

		if (!word)
			cell_text(&row->cells[i], column->unit, text, sizeof(text));
		table_cell(&live->view.table, y, i, cell_attributes(row, column, &row->cells[i], marked),
			   word ?: text);
	}
}

static bool is_marked(const struct mark *mark, const struct row *row)
{
	/* The first event of an idle VM gives it a birth. */
	return mark->set && mark->vm.pid == row->vm->pid && mark->vm.creator_tid == row->vm->creator_tid &&
	       mark->vm.fd == row->vm->fd && mark->vcpu == row->vcpu;
}

/* Finds the marked row again, or marks the one in its place; scrolls so that the mark is visible. */
static void settle_mark(struct live *live, const struct rows *rows)
{
	size_t page = live->page > 0 ? live->page : 1;

	live->row_count = rows->count;
	for (size_t i = 0; i < rows->count; i++)
		if (is_marked(&live->mark, &rows->rows[i]))
			live->marked_row = i;
	if (live->marked_row >= rows->count)
		live->marked_row = rows->count ? rows->count - 1 : 0;
	if (live->first_row > live->marked_row)
		live->first_row = live->marked_row;
	if (live->marked_row >= live->first_row + page)
		live->first_row = live->marked_row - page + 1;
	/* No empty lines below while there are rows above. */
	if (live->first_row + page > rows->count)
		live->first_row = rows->count > page ? rows->count - page : 0;
	/* Remember which row is marked, for the next move. */
	if (live->mark.set && rows->count) {
		const struct row *row = &rows->rows[live->marked_row];

		live->mark = (struct mark){ true, *row->vm, row->vcpu };
	}
}

/* What to wait for, and why there is nothing to show. Returns the next line. */
static int draw_empty(const struct live *live, int y, size_t rows)
{
	char text[160];

	if (!rows) {
		live->tool->empty_text(text, sizeof(text), live->now, live->args->pid);
		put(y++, 0, text);
	}
	if (!live->before && !live->view.totals) {
		snprintf(text, sizeof(text), "counting has begun; the first figures come after %.4g s",
			 live->view.delay_s);
		put(y++, 0, text);
	}
	return y;
}

/* On a large screen, what else there is fills the lines below the table. */
static void draw_rest(const struct live *live, int y)
{
	const struct tool *tool = live->tool;

	if (y + 3 > LINES)
		return;
	put(LINES - 2, 0, tool->see);
	if (y + 5 < LINES && tool->has_page(live->now, live->args))
		tool->draw_page(y + 1, LINES - 2, live->now, live->args);
}

static void draw_table(struct live *live)
{
	const struct rows_options options = {
		.vcpus = live->vcpus,
		.pid = live->args->pid,
		.sort = live->view.table.sort,
		.reverse = live->view.reverse,
	};
	char titles[live->tool->column_count][TITLE_LEN], keys[128];
	struct pair pair = pair_of(live->before, live->now, live->view.totals);
	struct rows rows;
	int y = 0, shown = 0;

	if (rows_build(&rows, live->tool, &pair, &options))
		return;
	if (LINES >= LINES_FOR_TITLE) {
		draw_title(live, rows.count);
		y = draw_truth(live);
	}
	place_columns(live, titles);
	if (LINES > 1)
		table_heading(&live->view.table, y++);
	live->page = LINES - y - (LINES >= LINES_FOR_TITLE);
	settle_mark(live, &rows);
	for (; shown < live->page && live->first_row + shown < rows.count; shown++) {
		size_t at = live->first_row + shown;

		draw_row(live, y + shown, &rows.rows[at], live->mark.set && at == live->marked_row);
	}
	draw_rest(live, draw_empty(live, y + shown, rows.count));
	snprintf(keys, sizeof(keys), "q Quit  h Help  Space Pause  %sF6 Sort  t Totals  d Delay",
		 live->tool->keys);
	view_bottom(&live->view, keys);
	rows_free(&rows);
}

static int draw_keys(const struct live *live, int y)
{
	static const char * const keys[] = {
		"q Ctrl-C   quit                    up down PgUp PgDn Home End   move",
		"h ? F1     this page               left right                   scroll columns",
		"space      pause, resume           < >   sort by the previous or next column",
		"d s        enter a new delay       F6    choose the sort column",
		"+ -        longer, shorter delay   R     reverse the order",
		"t          totals or per second",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		put(y++, 0, keys[i]);
	put(y++, 0, live->tool->keys_help);
	put(y++, 0, live->tool->see);
	return y;
}

static void draw_help(const struct live *live)
{
	char text[3 * HOOK_TEXT_LEN];
	int y = 0;

	snprintf(text, sizeof(text), "%s " MEMATTR_VERSION, live->tool->name);
	attron(A_BOLD);
	put(y++, 0, text);
	attroff(A_BOLD);
	y = draw_keys(live, y);
	put(y++, 0, "n/a: not measured on this kernel; -: nothing to measure. Figures come from:");
	for (int i = 0; i < live->now->hook_count; i++) {
		const struct snapshot_hook *hook = &live->now->hooks[i];

		snprintf(text, sizeof(text), "%-12s %s", hook->metric, hook->hook);
		put(y++, 0, text);
		if (!hook->note[0])
			continue;
		snprintf(text, sizeof(text), "%-12s (*) %s", "", hook->note);
		put(y++, 0, text);
	}
	for (const struct column *c = live->tool->columns; c < live->tool->columns + live->tool->column_count; c++) {
		snprintf(text, sizeof(text), "%-6s %s", c->title, c->help ?: "");
		if (c->help)
			put(y++, 0, text);
	}
	view_help_end(y, live->tool->name);
}

static void draw(struct live *live)
{
	erase();
	if (live->view.mode == VIEW_HELP)
		draw_help(live);
	else if (live->view.mode == VIEW_PAGE)
		live->tool->draw_page(0, LINES, live->now, live->args);
	else
		draw_table(live);
	if (live->view.mode == VIEW_SORT)
		put_cell(table_menu(&live->view.table, live->view.sort_choice), 0, TABLE_MENU_WIDTH,
			 false, "");
	refresh();
}

static void move_mark(struct live *live, long by)
{
	long to = (long)live->marked_row + by;

	/* The first key shows where the mark is. */
	if (!live->mark.set)
		to = by > 0 ? 0 : (long)live->marked_row;
	if (to >= (long)live->row_count)
		to = (long)live->row_count - 1;
	live->marked_row = to > 0 ? to : 0;
	live->mark = (struct mark){ .set = true, .vm.pid = -1 };
}

static void own_key(struct live *live, int key)
{
	if (key == 'v' && live->tool->next_vcpu)
		live->vcpus = !live->vcpus;
	else if (key == 'l')
		live->view.mode = VIEW_PAGE;
	else if (key == KEY_UP || key == KEY_DOWN)
		move_mark(live, key == KEY_UP ? -1 : 1);
	else if (key == KEY_PPAGE || key == KEY_NPAGE)
		move_mark(live, key == KEY_PPAGE ? -live->page : live->page);
	else if (key == KEY_HOME || key == KEY_END)
		move_mark(live, key == KEY_HOME ? -(long)live->row_count : (long)live->row_count);
}

/* Returns false on failure, and @why says why; or, with @why empty, at the end of the record. */
static bool take_snapshot(struct live *live, struct diag *why)
{
	struct snapshot *s = source_next(&live->source, why);

	if (!s)
		return false;
	snapshot_free(live->before);
	live->before = live->now;
	live->now = s;
	return true;
}

static void run(struct live *live, struct diag *why)
{
	struct view *view = &live->view;
	unsigned long left = live->args->count;
	int err, key;

	if (!take_snapshot(live, why))
		return;
	interval_start(&view->interval, monotonic_ns(), view->delay_s);
	while (!view->quit) {
		draw(live);
		err = view_wait(view);
		if (err) {
			diag_set(why, "", "%s", strerror(-err));
			return;
		}
		while ((key = view_key(view)) != ERR)
			own_key(live, key);
		if (!view_is_due(view))
			continue;
		if (!take_snapshot(live, why)) {
			if (why->cause[0])
				return;
			view->ended = "END OF RECORD";
		} else if (live->source.over) {
			view->ended = "PROCESS ENDED";
		} else if (live->args->count && !--left) {
			return;
		}
	}
}

/* Attaching takes seconds on a busy host, on which a dark screen would look like a fault. */
static int open_source(struct live *live, struct diag *why)
{
	char text[128];

	snprintf(text, sizeof(text), "%s is starting: %s", live->tool->name,
		 live->args->replay ? "reading the record" : "attaching to KVM's events");
	erase();
	put(0, 0, text);
	refresh();
	return source_open(&live->source, live->tool, live->args, why);
}

int live_run(const struct tool *tool, const struct args *args)
{
	struct table_column columns[tool->column_count];
	struct live live = {
		.tool = tool,
		.args = args,
		.vcpus = args->vcpus,
		.view = {
			.table = {
				.columns = columns,
				.count = tool->column_count,
				.fixed = tool->fixed,
				.sort = tool->sort,
			},
			.totals = args->totals,
			.delay_s = args->delay_s,
		},
	};
	struct diag why = {};
	int status = view_open(&live.view, tool->name), closed;

	if (status)
		return status;
	status = open_source(&live, &why);
	if (!status)
		run(&live, &why);
	view_close(&live.view);
	closed = source_close(&live.source);
	snapshot_free(live.before);
	snapshot_free(live.now);
	if (why.cause[0])
		return diag_print(&why, status ?: EXIT_FAILED);
	return closed;
}
