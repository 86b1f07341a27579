// SPDX-License-Identifier: GPL-2.0
/* The screen: one table, a menu to sort it by, a prompt for the delay, a page of help. */
#define _GNU_SOURCE
#include "view.h"
#include "views.h"

#include <errno.h>
#include <string.h>

/*
 * The widths of the narrow layout and the blanks between them add up to 80 columns, without the last
 * column, which a narrow screen shows when it is scrolled.
 */
static const struct layout {
	const char *narrow, *rate, *total;
	int narrow_width, wide_width;
	const char *help;
} layouts[COLUMN_COUNT] = {
	[COLUMN_PID] = { "PID", "PID", "PID", 7, 7, NULL },
	[COLUMN_NAME] = { "NAME", "NAME", "NAME", 9, 18,
		"by the VMM's -name option, else its command" },
	[COLUMN_EXITS] = { "EXITS", "EXITS/s", "EXITS", 5, 8, "VM exits" },
	[COLUMN_TO_PRIVATE] = { ">PRIV", ">PRIV/s", ">PRIV", 5, 8,
		"conversions to private that changed something" },
	[COLUMN_TO_SHARED] = { ">SHRD", ">SHRD/s", ">SHRD", 5, 8, "the same, to shared" },
	[COLUMN_EFFECTIVE_PAGES] = { "EFFPG", "EFFPG/s", "EFFPG", 5, 8,
		"pages that conversions changed" },
	[COLUMN_REQUESTED_PAGES] = { "REQPG", "REQPG/s", "REQPG", 5, 8,
		"pages asked for, also by refused and no-op requests" },
	[COLUMN_ZAP_PAGES] = { "ZAPPG", "ZAPPG/s", "ZAPPG", 5, 8,
		"pages unmapped from the guest for conversions" },
	[COLUMN_DENIED] = { "DENY", "DENY/s", "DENY", 5, 8, "requests that a policy refused" },
	[COLUMN_P50_NS] = { "P50", "P50", "P50", 5, 6,
		"median latency of a conversion in KVM; P99: 99th percentile" },
	[COLUMN_P99_NS] = { "P99", "P99", "P99", 5, 6, NULL },
	[COLUMN_POLICY] = { "POLICY", "POLICY", "POLICY", 8, 15, NULL },
	[COLUMN_HELD] = { "HELD", "HELD/s", "HELD", 5, 8,
		"conversions in place that failed because a page was in use" },
};

/* Identifies the marked VM, which stays marked when rows change places. */
struct mark {
	bool set;
	pid_t pid, creator_tid;
	int fd;
};

struct live {
	struct collector *collector;
	struct view_options options;
	struct snapshot *before, *now;
	struct view view;

	size_t first_row;
	size_t marked_row;
	struct mark mark;
	size_t row_count;	/* when it was drawn last, as is */
	int page;		/* rows that fit the screen */
};

/* PID and NAME stay when the others are scrolled. */
#define FIXED_COLUMNS	(COLUMN_NAME + 1)

static struct table_column columns[COLUMN_COUNT];

static bool is_text(enum column column)
{
	return column == COLUMN_NAME || column == COLUMN_POLICY;
}

/* The width of the first @count columns of the wide layout. */
static int wide_total(int count)
{
	int total = count - 1;

	for (int i = 0; i < count; i++)
		total += layouts[i].wide_width;
	return total;
}

static void place_columns(struct live *live)
{
	bool wide = COLS >= wide_total(COLUMN_HELD);
	int rest = COLS - wide_total(COLUMN_COUNT);

	for (int i = 0; i < COLUMN_COUNT; i++) {
		const struct layout *layout = &layouts[i];

		columns[i] = (struct table_column){
			.name = layout->rate,
			.title = live->view.totals ? layout->total :
				 wide ? layout->rate : layout->narrow,
			.width = wide ? layout->wide_width : layout->narrow_width,
			.text = is_text(i),
		};
	}
	/* Half of the remaining width goes to the names. */
	if (rest > 0)
		columns[COLUMN_NAME].width += rest / 2;
	table_place(&live->view.table);
}

static void draw_title(const struct live *live, size_t vm_count)
{
	char text[256], clock[16];

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&live->now->wall));
	snprintf(text, sizeof(text), "memattr-top %s  %zu VM%s%s  every %.4g s  %s", clock, vm_count,
		 vm_count == 1 ? "" : "s", live->options.rows.pid ? " of one process" : "",
		 live->view.delay_s, live->view.totals ? "totals" : "per second");
	view_title(&live->view, text);
}

static uint64_t count_failed(const struct snapshot *s, uint64_t *held)
{
	uint64_t failed = 0;

	*held = 0;
	for (size_t i = 0; s && i < s->vm_count; i++) {
		failed += s->vms[i].counts.failed;
		*held += s->vms[i].counts.held;
	}
	return failed;
}

/* Draws the hooks that the figures come from. Returns the next line. */
static int draw_truth(const struct live *live)
{
	const struct snapshot *before = live->before, *now = live->now;
	/* With few lines, the table takes precedence. */
	struct flow flow = { .y = 1, .last = (LINES - 4) / 4 };
	char text[2 * HOOK_TEXT_LEN];
	uint64_t held, failed = count_failed(now, &held);

	if (flow.last < 1)
		return 1;
	view_truth(&flow, now->hooks, METRIC_VM_END, now->lost_events);
	if (now->measured & MEASURE_REQUESTS)
		snprintf(text, sizeof(text), held ? "failed %llu, of these held %llu" : "failed %llu",
			 (unsigned long long)failed, (unsigned long long)held);
	else
		snprintf(text, sizeof(text), "failed n/a");
	flow_put(&flow, failed ? colour(COLOUR_WARNING) : A_NORMAL, text);
	cost_text(before ? &before->cost : NULL, &now->cost, before ? now->time_ns - before->time_ns : 0,
		  text, sizeof(text));
	flow_put(&flow, A_NORMAL, text);
	return (flow.y < flow.last ? flow.y : flow.last) + 1;
}

static void row_text(const struct row *row, enum column column, char *text, size_t size)
{
	if (column == COLUMN_NAME)
		snprintf(text, size, "%s", row->vm->name);
	else if (column == COLUMN_POLICY)
		snprintf(text, size, "%s", row->policy);
	else
		cell_text(&row->cells[column], column_unit(column), text, size);
}

static chtype cell_attributes(const struct row *row, enum column column, bool marked)
{
	const struct cell *cell = &row->cells[column];

	if (marked)
		return A_REVERSE;
	if ((column == COLUMN_DENIED || column == COLUMN_HELD) && cell->kind == CELL_NUMBER && cell->number > 0)
		return colour(COLOUR_WARNING);
	if (row->vm->ended || cell->kind == CELL_NOT_MEASURED)
		return A_DIM;
	return A_NORMAL;
}

static void draw_row(const struct live *live, int y, const struct row *row, bool marked)
{
	char text[VM_NAME_LEN];

	if (marked) {
		attron(A_REVERSE);
		put_cell(y, 0, COLS, false, "");
		attroff(A_REVERSE);
	}
	for (int i = 0; i < COLUMN_COUNT; i++) {
		row_text(row, i, text, sizeof(text));
		table_cell(&live->view.table, y, i, cell_attributes(row, i, marked), text);
	}
}

static bool is_marked(const struct mark *mark, const struct snapshot_vm *vm)
{
	return mark->set && mark->pid == vm->pid && mark->creator_tid == vm->creator_tid &&
	       mark->fd == vm->fd;
}

/* Finds the marked VM again, or marks the VM in its place; scrolls so that the mark is visible. */
static void settle_mark(struct live *live, const struct rows *rows)
{
	live->row_count = rows->count;
	for (size_t i = 0; i < rows->count; i++)
		if (is_marked(&live->mark, rows->rows[i].vm))
			live->marked_row = i;
	if (live->marked_row >= rows->count)
		live->marked_row = rows->count ? rows->count - 1 : 0;
	if (live->first_row > live->marked_row)
		live->first_row = live->marked_row;
	if (live->page > 0 && live->marked_row >= live->first_row + live->page)
		live->first_row = live->marked_row - live->page + 1;
	/* No empty lines below while there are rows above. */
	if (live->first_row + live->page > rows->count)
		live->first_row = rows->count > (size_t)live->page ? rows->count - live->page : 0;
}

static void draw_table(struct live *live)
{
	struct rows_options *options = &live->options.rows;
	struct rows rows;
	int y = 0;

	options->totals = live->view.totals;
	options->sort = live->view.table.sort;
	options->reverse = live->view.reverse;
	if (rows_build(&rows, live->before, live->now, options))
		return;
	if (LINES >= LINES_FOR_TITLE) {
		draw_title(live, rows.count);
		y = draw_truth(live);
	}
	place_columns(live);
	if (LINES > 1)
		table_heading(&live->view.table, y++);
	live->page = LINES - y - (LINES >= LINES_FOR_TITLE);
	settle_mark(live, &rows);
	for (int i = 0; i < live->page && live->first_row + i < rows.count; i++) {
		size_t at = live->first_row + i;

		draw_row(live, y + i, &rows.rows[at], live->mark.set && at == live->marked_row);
	}
	if (!rows.count) {
		char text[128];

		explain_empty(text, sizeof(text), live->now, options->pid);
		put(y, 0, text);
	}
	/* Remember which VM is marked, for the next move. */
	if (live->mark.set && rows.count) {
		const struct snapshot_vm *vm = rows.rows[live->marked_row].vm;

		live->mark = (struct mark){ true, vm->pid, vm->creator_tid, vm->fd };
	}
	view_bottom(&live->view,
		    "q Quit  h Help  Space Pause  < > F6 Sort  R Reverse  t Totals  d Delay  +/-");
	rows_free(&rows);
}

static void draw_help(const struct live *live)
{
	static const char * const keys[] = {
		"q Ctrl-C   quit                    up down PgUp PgDn Home End   move",
		"h ? F1     this page               left right                   scroll columns",
		"space      pause, resume           < >   sort by the previous or next column",
		"d s        enter a new delay       F6    choose the sort column",
		"+ -        longer, shorter delay   R     reverse the order",
		"t          totals or per second",
	};
	char text[3 * HOOK_TEXT_LEN];
	int y = 0;

	attron(A_BOLD);
	put(y++, 0, "memattr-top " MEMATTR_VERSION);
	attroff(A_BOLD);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		put(y++, 0, keys[i]);
	for (int i = 0; i < COLUMN_COUNT; i++) {
		if (!layouts[i].help)
			continue;
		snprintf(text, sizeof(text), "%-6s %s", layouts[i].narrow, layouts[i].help);
		put(y++, 0, text);
	}
	put(y++, 0, "n/a: not measured on this kernel; -: nothing to measure. Figures come from:");
	for (int metric = 0; metric < METRIC_COUNT; metric++) {
		const struct snapshot_hook *hook = &live->now->hooks[metric];

		snprintf(text, sizeof(text), "%-11s %s", hook->metric, hook->hook);
		put(y++, 0, text);
		if (hook->note[0]) {
			snprintf(text, sizeof(text), "%-11s (*) %s", "", hook->note);
			put(y++, 0, text);
		}
	}
	view_help_end(y, "memattr-top");
}

static void draw(struct live *live)
{
	erase();
	if (live->view.mode == VIEW_HELP)
		draw_help(live);
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
	live->mark = (struct mark){ .set = true, .pid = -1 };
}

static void move_key(struct live *live, int key)
{
	switch (key) {
	case KEY_UP:
		move_mark(live, -1);
		break;
	case KEY_DOWN:
		move_mark(live, 1);
		break;
	case KEY_PPAGE:
		move_mark(live, -live->page);
		break;
	case KEY_NPAGE:
		move_mark(live, live->page);
		break;
	case KEY_HOME:
		move_mark(live, -(long)live->row_count);
		break;
	case KEY_END:
		move_mark(live, live->row_count);
		break;
	}
}

static int take_snapshot(struct live *live)
{
	struct snapshot *s = collector_snapshot(live->collector);

	if (!s)
		return -ENOMEM;
	snapshot_free(live->before);
	live->before = live->now;
	live->now = s;
	view_taken(&live->view, s->time_ns);
	return 0;
}

static int run(struct live *live)
{
	struct view *view = &live->view;
	unsigned long left = live->options.count;
	int err = take_snapshot(live), key;

	while (!err && !view->quit) {
		draw(live);
		err = view_wait(view);
		while ((key = view_key(view)) != ERR)
			move_key(live, key);
		if (err || !view_is_due(view))
			continue;
		err = take_snapshot(live);
		if (live->options.count && !--left)
			break;
	}
	return err;
}

int live_run(struct collector *collector, const struct view_options *options)
{
	struct live live = {
		.collector = collector,
		.options = *options,
		.view = {
			.table = {
				.columns = columns,
				.count = COLUMN_COUNT,
				.fixed = FIXED_COLUMNS,
				.sort = options->rows.sort,
			},
			.totals = options->rows.totals,
			.delay_s = options->delay_s,
		},
	};
	int err = view_open(&live.view, "memattr-top -b, or another value of TERM");

	if (err)
		return err;
	err = run(&live);
	view_close(&live.view);
	snapshot_free(live.before);
	snapshot_free(live.now);
	if (err)
		return diag_fail(EXIT_FAILED, "", "%s", strerror(-err));
	return EXIT_OK;
}
