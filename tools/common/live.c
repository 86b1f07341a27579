// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "live.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "basis.h"
#include "batch.h"
#include "history.h"
#include "rows.h"
#include "saved.h"
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
};

#define FIGURE_WIDTH	5
#define NAME_WIDER	8
#define TEXT_WIDER	8
#define TITLE_LEN	16
#define TITLE_NAME	24
/* With fewer lines the views are not named: the help has them. */
#define LINES_FOR_TABS	20
#define LINES_FOR_BASIS	8

/* Room is enough for the units' "/s" only if all columns fit with it. */
static int column_width(const struct column *column, bool wide)
{
	int width = column->width ?: FIGURE_WIDTH, title = strlen(column->title);

	if (wide && column->unit == UNIT_COUNT)
		title += 2;
	return title > width ? title : width;
}

static const struct sheet *sheet_of(const struct live *live)
{
	return &live->tool->sheets[live->place.sheet];
}

static int total_width(const struct sheet *sheet, bool wide)
{
	int total = sheet->column_count - 1;

	for (int i = 0; i < sheet->column_count; i++)
		total += column_width(&sheet->columns[i], wide);
	return total;
}

/* Shares out the width that remains: names take half of it, and what no other text has a use for. */
static void widen_text(int count, struct table_column *places, int rest)
{
	int others = 0, most;

	for (int i = 0; i < count; i++)
		others += places[i].text && !places[i].cut_middle ? TEXT_WIDER : 0;
	if (others > rest / 2)
		others = rest / 2;
	for (int i = 0; i < count && rest > 0; i++) {
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
	const struct sheet *sheet = sheet_of(live);
	/* Names have a better use for a little room than headings. */
	bool wide = COLS >= total_width(sheet, true) + NAME_WIDER;

	for (int i = 0; i < sheet->column_count; i++) {
		const struct column *column = &sheet->columns[i];
		struct table_column *place = &live->view.table.columns[i];
		bool rate = wide && column->unit == UNIT_COUNT && !live->view.totals;

		snprintf(titles[i], TITLE_LEN, "%s%s", column->title, rate ? "/s" : "");
		*place = (struct table_column){
			.name = column->key,
			.title = titles[i],
			.width = column_width(column, wide),
			.text = column->unit == UNIT_TEXT,
			.unsorted = column->trend,
			.cut_middle = column->text == row_name,
		};
	}
	live->view.table.count = sheet->column_count;
	live->view.table.fixed = sheet->fixed;
	widen_text(sheet->column_count, live->view.table.columns, COLS - total_width(sheet, wide));
	table_place(&live->view.table);
}

static void draw_title(const struct live *live, size_t count)
{
	const struct sheet *sheet = sheet_of(live);
	char text[256], clock[16], name[4 * TITLE_NAME] = "";

	if (live->place.one_vm)
		cut_middle(name, sizeof(name), live->place.vm.name, TITLE_NAME);
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&live->now->wall));
	snprintf(text, sizeof(text), "%s %s  %s%s%zu %s%s%s%s%s%s  every %.4g s  %s", live->tool->name, clock,
		 sheet->subject ?: "", sheet->subject ? " of " : "", count, sheet->noun, count == 1 ? "" : "s",
		 live->place.one_vm ? " of " : live->args->pid ? " of one process" : "",
		 name, live->view.filter[0] ? " with " : "", live->view.filter, live->view.delay_s,
		 live->view.totals ? "totals" : "per second");
	view_title(&live->view, text);
}

/* Names the views with their keys. Returns the next line. */
static int draw_tabs(const struct live *live, int y)
{
	struct flow flow = { .y = y, .last = y };
	int width = -2;
	char text[32];

	if (live->tool->sheet_count < 3 || LINES < LINES_FOR_TABS)
		return y;
	for (int i = 0; i < live->tool->sheet_count; i++)
		width += strlen(live->tool->sheets[i].word) + 4;
	for (int i = 0; i < live->tool->sheet_count; i++) {
		snprintf(text, sizeof(text), "%d %s", i + 1, live->tool->sheets[i].word);
		flow_put(&flow, i == live->place.sheet ? A_REVERSE : A_NORMAL, text);
		/* One blank is enough where two do not fit. */
		flow.x -= width > COLS;
	}
	return y + 1;
}

/* Draws the line that says what the figures rest on. Returns the next line. */
static int draw_basis(const struct live *live, int y)
{
	unsigned int metrics = sheet_of(live)->metrics ?: (1U << live->tool->shown_hooks) - 1;
	struct flow flow;

	/* With few lines, the table takes precedence. */
	if (LINES < LINES_FOR_BASIS)
		return y;
	flow = basis_line(y, live->before, live->now, metrics);
	if (live->tool->draw_more)
		live->tool->draw_more(&flow, live->now);
	return y + 1;
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
	char text[4 * VM_NAME_LEN + 1];

	if (marked) {
		attron(A_REVERSE);
		put_cell(y, 0, COLS, false, "");
		attroff(A_REVERSE);
	}
	for (int i = 0; i < sheet_of(live)->column_count; i++) {
		const struct column *column = &sheet_of(live)->columns[i];
		const char *word = column_text(column, row);

		if (column->trend)
			history_text(&live->histories[live->place.sheet], row->vm,
				     live->view.table.columns[i].width, text, sizeof(text));
		else if (!word)
			cell_text(&row->cells[i], column->unit, text, sizeof(text));
		table_cell(&live->view.table, y, i, cell_attributes(row, column, &row->cells[i], marked),
			   word ?: text);
	}
}

static bool is_marked(const struct mark *mark, const struct row *row)
{
	return mark->set && vm_is_row_of(&mark->vm, row->vm) &&
	       (mark->part == ALL_PARTS || mark->part == row->part);
}

/* Rates, or counts since the start or since the key r. */
static struct pair pair_shown(const struct live *live)
{
	if (live->view.totals && live->base)
		return counts_of(live->base, live->now, false);
	return pair_of(live->before, live->now, live->view.totals);
}

/* Finds the marked row again, or marks the one in its place; scrolls so that the mark is visible. */
static void settle_mark(struct live *live, const struct rows *rows)
{
	size_t page = live->page > 0 ? live->page : 1;

	live->row_count = rows->count;
	for (size_t i = 0; i < rows->count; i++) {
		if (!is_marked(&live->mark, &rows->rows[i]))
			continue;
		live->marked_row = i;
		break;
	}
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

		live->mark = (struct mark){ true, *row->vm, row->part };
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
	if (sheet_of(live)->draw_below)
		sheet_of(live)->draw_below(y + 1, LINES - 2, live->now, live->args,
					   live->place.one_vm ? &live->place.vm : NULL);
	else if (y + 5 < LINES && tool->has_page(live->now, live->args))
		tool->draw_page(y + 1, LINES - 2, live->now, live->args);
}

/* What must not be missed has a line of its own until it is acknowledged. Returns the next line. */
static int draw_alert(const struct live *live, int y)
{
	char text[160];

	if (!live->tool->alert || !live->tool->alert(text, sizeof(text)))
		return y;
	attron(colour(COLOUR_LOSS));
	put(y, 0, text);
	attroff(colour(COLOUR_LOSS));
	return y + 1;
}

/* Draws what stands above the figures. Returns the next line. */
static int draw_head(const struct live *live, size_t count)
{
	if (LINES < LINES_FOR_TITLE)
		return 0;
	draw_title(live, count);
	return draw_alert(live, draw_basis(live, draw_tabs(live, 1)));
}

static void draw_foot(const struct live *live)
{
	const char *own = sheet_of(live)->keys ?: live->tool->keys;
	char keys[160];

	snprintf(keys, sizeof(keys), sheet_of(live)->draw ? "q Quit  h Help  Space Pause  %s" :
		 "q Quit  h Help  Space Pause  %sF6 Sort  t Totals  d Delay", own);
	view_bottom(&live->view, keys);
}

static void draw_rows(struct live *live, int y, const struct rows *rows)
{
	int shown = 0;

	live->page = LINES - y - (LINES >= LINES_FOR_TITLE);
	settle_mark(live, rows);
	for (; shown < live->page && live->first_row + shown < rows->count; shown++) {
		size_t at = live->first_row + shown;

		draw_row(live, y + shown, &rows->rows[at], live->mark.set && at == live->marked_row);
	}
	draw_rest(live, draw_empty(live, y + shown, rows->count));
}

static void draw_table(struct live *live)
{
	const struct rows_options options = {
		.pid = live->args->pid,
		.only = live->place.one_vm ? &live->place.vm : NULL,
		.filter = live->view.filter[0] ? live->view.filter : NULL,
		.sort = live->view.table.sort,
		.reverse = live->view.reverse,
	};
	char titles[sheet_of(live)->column_count][TITLE_LEN];
	struct pair pair = pair_shown(live);
	struct rows rows;
	int y;

	if (rows_build(&rows, sheet_of(live), &pair, &options))
		return;
	y = draw_head(live, rows.count);
	place_columns(live, titles);
	if (LINES > 1)
		table_heading(&live->view.table, y++);
	draw_rows(live, y, &rows);
	draw_foot(live);
	rows_free(&rows);
}

/* Returns the VM that was chosen, as the last snapshot has it, or else the first one; NULL: there is none. */
static const struct snapshot_vm *chosen_vm(const struct live *live)
{
	const struct snapshot_vm *first = NULL, *wanted = live->place.one_vm ? &live->place.vm :
							  live->mark.set ? &live->mark.vm : NULL;

	for (size_t i = 0; i < live->now->lists[0].count; i++) {
		const struct snapshot_vm *vm = snapshot_item(live->now, 0, i);

		if (!vm_is_of(vm, live->args->pid))
			continue;
		first = first ?: vm;
		if (wanted && vm_is_row_of(wanted, vm))
			return vm;
	}
	return live->place.one_vm ? NULL : first;
}

static void draw_picture(const struct live *live)
{
	struct pair pair = pair_shown(live);
	const struct snapshot_vm *vm = chosen_vm(live);
	int y = draw_head(live, vm ? 1 : 0);

	if (vm)
		sheet_of(live)->draw(y, LINES - 1, &pair, vm);
	else
		draw_empty(live, y, 0);
	draw_foot(live);
}

static int draw_keys(const struct live *live, int y)
{
	static const char * const keys[] = {
		"q Ctrl-C   quit                    up down PgUp PgDn Home End   move",
		"h ? F1     this page; again: the columns      left right       scroll columns",
		"space      pause, resume           < >   sort by the previous or next column",
		"d s        enter a new delay       F6    choose the sort column",
		"+ -        longer, shorter delay   R     reverse the order",
		"t          totals or per second    i     what the figures rest on",
		"f /        only some VMs           r     show all again, begin totals again",
		"[ ] { }    in a record: 10 or 100  W     save delay, view, order for the",
		"           intervals back, on            next start",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		put(y++, 0, keys[i]);
	put(y++, 0, live->tool->keys_help);
	put(y++, 0, live->tool->see);
	return y;
}

static int draw_views(const struct live *live, int y)
{
	char text[128];

	put(y++, 0, "v          the next view             Enter Esc  into a row's VM, and back");
	for (int i = 0; i < live->tool->sheet_count; i++) {
		const struct sheet *sheet = &live->tool->sheets[i];

		snprintf(text, sizeof(text), "%d          %s: %s", i + 1, sheet->word, sheet->help);
		put(y++, 0, text);
	}
	return y;
}

static void draw_help(const struct live *live)
{
	char text[128];
	int y = 0;

	snprintf(text, sizeof(text), "%s " MEMATTR_VERSION, live->tool->name);
	attron(A_BOLD);
	put(y++, 0, text);
	attroff(A_BOLD);
	y = draw_keys(live, y);
	if (live->tool->sheet_count > 1)
		y = draw_views(live, y);
	view_help_end(y, live->tool->name);
}

static void draw_columns(const struct live *live)
{
	const struct sheet *sheet = sheet_of(live);
	char text[128];
	int y = 0;

	snprintf(text, sizeof(text), "The columns of %s.  n/a: not measured on this kernel; -: nothing to measure",
		 sheet->word);
	attron(A_BOLD);
	put(y++, 0, text);
	attroff(A_BOLD);
	for (const struct column *c = sheet->columns; c < sheet->columns + sheet->column_count; c++) {
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
	else if (live->view.mode == VIEW_COLUMNS)
		draw_columns(live);
	else if (live->view.mode == VIEW_BASIS)
		basis_page(0, live->before, live->now);
	else if (sheet_of(live)->draw)
		draw_picture(live);
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
	live->mark = (struct mark){ .set = true, .vm.pid = NOWHERE };
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
	mousemask(sheet_of(live)->draw ? ALL_MOUSE_EVENTS : 0, NULL);
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
		draw(live);
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
	struct pair pair = pair_shown(live);
	const struct snapshot_vm *vm = chosen_vm(live);

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

/* Returns false on failure, and @why says why; or, with @why empty, at the end of the record. */
static bool take_snapshot(struct live *live, struct diag *why)
{
	struct snapshot *s;

	/* The VM that is chosen can be another one each time: the one before may have ended. */
	source_want(&live->source, sheet_of(live)->measures, live->now ? chosen_vm(live) : NULL);
	s = source_next(&live->source, why);
	if (!s)
		return false;
	snapshot_free(live->before);
	live->before = live->now;
	live->now = s;
	live->position++;
	for (int i = 0; i < live->tool->sheet_count; i++)
		if (live->tool->sheets[i].trend)
			history_add(&live->histories[i], s, live->tool->sheets[i].trend);
	if (live->tool->saw)
		live->tool->saw(s);
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
	while (live->position < to && take_snapshot(live, &why))
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

static void own_key(struct live *live, int key)
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
	else if (key == KEY_UP || key == KEY_DOWN)
		move_mark(live, key == KEY_UP ? -1 : 1);
	else if (key == KEY_PPAGE || key == KEY_NPAGE)
		move_mark(live, key == KEY_PPAGE ? -live->page : live->page);
	else if (key == KEY_HOME || key == KEY_END)
		move_mark(live, key == KEY_HOME ? -(long)live->row_count : (long)live->row_count);
}

static void run(struct live *live, struct diag *why)
{
	struct view *view = &live->view;
	unsigned long left = live->args->count;
	int err, key;

	if (!take_snapshot(live, why))
		return;
	interval_start(&view->interval, monotonic_ns(), view->delay_s);
	live->source.interval = &view->interval;
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

static int most_columns(const struct tool *tool)
{
	int most = 0;

	for (int i = 0; i < tool->sheet_count; i++)
		most = tool->sheets[i].column_count > most ? tool->sheets[i].column_count : most;
	return most;
}

/* How the screen looks at first: by the options, else as it was saved. */
static void set_out(struct live *live, const struct tool *tool, const struct args *args)
{
	struct saved saved = { .delay_s = DELAY_DEFAULT_S };

	for (int i = 0; i < tool->sheet_count; i++)
		saved.orders[i].sort = tool->sheets[i].sort;
	saved_read(tool, &saved);
	for (int i = 0; i < tool->sheet_count; i++)
		live->habits[i] = (struct habit){ .sort = saved.orders[i].sort, .reverse = saved.orders[i].reverse };
	live->place.sheet = args->view ? args->sheet : saved.sheet;
	live->view.table.sort = live->habits[live->place.sheet].sort;
	live->view.reverse = live->habits[live->place.sheet].reverse;
	live->view.has_table = !sheet_of(live)->draw;
	live->view.totals = args->totals || saved.totals;
	live->view.delay_s = args->delay_s ?: saved.delay_s;
}

int live_run(const struct tool *tool, const struct args *args)
{
	struct table_column columns[most_columns(tool)];
	struct live live = {
		.tool = tool,
		.args = args,
		.view.table.columns = columns,
	};
	struct diag why = {};
	int status = view_open(&live.view, tool->name), closed;

	set_out(&live, tool, args);
	if (status)
		return status;
	status = open_source(&live, &why);
	if (!status)
		run(&live, &why);
	view_close(&live.view);
	closed = source_close(&live.source);
	for (int i = 0; i < tool->sheet_count; i++)
		history_free(&live.histories[i]);
	snapshot_free(live.base);
	snapshot_free(live.before);
	snapshot_free(live.now);
	if (why.cause[0])
		return diag_print(&why, status ?: EXIT_FAILED);
	return closed;
}
