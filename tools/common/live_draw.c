// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <string.h>

#include "basis.h"
#include "batch.h"
#include "live_state.h"

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
	struct flow flow = { .y = y, .last = y, .gap = 1 };
	char text[32];

	if (live->tool->sheet_count < 3 || LINES < LINES_FOR_TABS)
		return y;
	for (int i = 0; i < live->tool->sheet_count; i++) {
		snprintf(text, sizeof(text), "%d %s", i + 1, live->tool->sheets[i].word);
		flow_put(&flow, i == live->place.sheet ? A_REVERSE : A_NORMAL, text);
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

struct pair live_pair(const struct live *live)
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

/* Says why the table is empty. */
static void empty_text(const struct live *live, char *text, size_t size)
{
	char name[4 * TITLE_NAME];

	if (live->place.one_vm && !live_vm(live)) {
		cut_middle(name, sizeof(name), live->place.vm.name, TITLE_NAME);
		snprintf(text, size, "%s has ended; Esc: back", name);
	} else if (!live_vm(live)) {
		live->tool->empty_text(text, size, live->now, live->args->pid);
	} else if (live->view.filter[0]) {
		snprintf(text, size, "there is nothing of a VM with '%s' in its name; r: all VMs again", live->view.filter);
	} else {
		snprintf(text, size, "nothing of this kind has happened so far");
	}
}

/* What to wait for, and why there is nothing to show. Returns the next line. */
static int draw_empty(const struct live *live, int y, size_t rows)
{
	char text[160];

	if (!rows) {
		empty_text(live, text, sizeof(text));
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

	live->rows_y = y;
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
	struct pair pair = live_pair(live);
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

const struct snapshot_vm *live_vm(const struct live *live)
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
	struct pair pair = live_pair(live);
	const struct snapshot_vm *vm = live_vm(live);
	int y = draw_head(live, vm ? 1 : 0);

	if (vm)
		sheet_of(live)->draw(y, LINES - 1, &pair, vm);
	else
		draw_empty(live, y, 0);
	draw_foot(live);
}

void live_draw(struct live *live)
{
	erase();
	if (live->view.mode == VIEW_HELP)
		live_help(live);
	else if (live->view.mode == VIEW_PAGE)
		live->tool->draw_page(0, LINES, live->now, live->args);
	else if (live->view.mode == VIEW_COLUMNS)
		live_columns(live);
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
