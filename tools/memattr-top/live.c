// SPDX-License-Identifier: GPL-2.0
/* The screen: one table, a menu to sort it by, a prompt for the delay, a page of help. */
#define _GNU_SOURCE
#include "screen.h"
#include "views.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROMPT_LEN	16

/* On fewer the VMs need all of them. */
#define LINES_FOR_TITLE	4

enum mode {
	MODE_TABLE,
	MODE_HELP,
	MODE_SORT,	/* menu */
	MODE_DELAY,	/* prompt */
};

/* All widths of the narrow layout and the blanks between them make 80 columns. */
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
		"pages asked for, refused and no-op requests too" },
	[COLUMN_ZAP_PAGES] = { "ZAPPG", "ZAPPG/s", "ZAPPG", 5, 8,
		"pages unmapped from the guest for it" },
	[COLUMN_DENIED] = { "DENY", "DENY/s", "DENY", 5, 8, "requests a policy refused" },
	[COLUMN_P50_NS] = { "P50", "P50", "P50", 5, 6, "median latency of a conversion in KVM" },
	[COLUMN_P99_NS] = { "P99", "P99", "P99", 5, 6, "99th percentile of it" },
	[COLUMN_POLICY] = { "POLICY", "POLICY", "POLICY", 8, 15, NULL },
};

/* The VM that is marked stays so when rows change places. */
struct mark {
	bool set;
	pid_t pid, creator_tid;
	int fd;
};

struct live {
	struct collector *collector;
	struct view_options options;
	struct snapshot *before, *now;
	uint64_t deadline_ns;
	bool paused;
	bool quit;

	enum mode mode;
	int first_column;	/* after PID and NAME, which stay */
	size_t first_row;
	size_t marked_row;
	struct mark mark;
	enum column sort_choice;	/* in the menu */
	char prompt[PROMPT_LEN];
	const char *complaint;
	size_t row_count;	/* as drawn last, as is */
	int page;		/* rows that fit the screen */
};

static bool is_text(enum column column)
{
	return column == COLUMN_NAME || column == COLUMN_POLICY;
}

static int wide_total(void)
{
	int total = COLUMN_COUNT - 1;

	for (int i = 0; i < COLUMN_COUNT; i++)
		total += layouts[i].wide_width;
	return total;
}

static int column_width(enum column column)
{
	if (COLS < wide_total())
		return layouts[column].narrow_width;
	/* What is left over goes to the names. */
	if (column == COLUMN_NAME)
		return layouts[column].wide_width + (COLS - wide_total()) / 2;
	return layouts[column].wide_width;
}

static const char *column_title(const struct live *live, enum column column)
{
	const struct layout *layout = &layouts[column];

	if (live->options.rows.totals)
		return layout->total;
	return COLS < wide_total() ? layout->narrow : layout->rate;
}

/* Half a number is another number: only text may be cut. */
static bool column_fits(enum column column, int x)
{
	return x + (is_text(column) ? 1 : column_width(column)) <= COLS;
}

/* The next column that is drawn after @column. */
static int next_column(const struct live *live, int column)
{
	return column == COLUMN_NAME ? COLUMN_NAME + 1 + live->first_column : column + 1;
}

static void draw_title(const struct live *live, size_t vm_count)
{
	char text[256], clock[16];

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&live->now->wall));
	snprintf(text, sizeof(text), "memattr-top %s  %zu VM%s%s  every %.4g s  %s", clock, vm_count,
		 vm_count == 1 ? "" : "s", live->options.rows.pid ? " of one process" : "",
		 live->options.delay_s,
		 live->options.rows.totals ? "totals" : "per second");
	attron(A_BOLD);
	put(0, 0, text);
	if (live->paused)
		put(0, strlen(text) + 2, "PAUSED");
	attroff(A_BOLD);
}

static uint64_t count_failed(const struct snapshot *s)
{
	uint64_t failed = 0;

	for (size_t i = 0; s && i < s->vm_count; i++)
		failed += s->vms[i].counts.failed;
	return failed;
}

/* What the figures rest on. Returns the line after it. */
static int draw_truth(const struct live *live)
{
	const struct snapshot *before = live->before, *now = live->now;
	/* The table comes first where there are few lines. */
	struct flow flow = { .y = 1, .last = (LINES - 4) / 4 };
	char text[2 * HOOK_TEXT_LEN];
	uint64_t failed = count_failed(now);

	if (flow.last < 1)
		return 1;
	for (int metric = 0; metric < METRIC_VM_END; metric++) {
		const struct snapshot_hook *hook = &now->hooks[metric];
		bool missing = !strcmp(hook->hook, "n/a");

		/* A note says that the figures are not quite what the heading says. */
		snprintf(text, sizeof(text), "%s %s%s", hook->metric, hook->hook,
			 hook->note[0] && !missing ? "(*)" : "");
		flow_put(&flow, missing ? colour(COLOUR_WARNING) : A_NORMAL, text);
	}
	snprintf(text, sizeof(text), "lost %llu", (unsigned long long)now->lost_events);
	flow_put(&flow, now->lost_events ? colour(COLOUR_LOSS) : A_NORMAL, text);
	if (now->measured & MEASURE_REQUESTS)
		snprintf(text, sizeof(text), "failed %llu", (unsigned long long)failed);
	else
		snprintf(text, sizeof(text), "failed n/a");
	flow_put(&flow, failed ? colour(COLOUR_WARNING) : A_NORMAL, text);
	cost_text(before ? &before->cost : NULL, &now->cost, before ? now->time_ns - before->time_ns : 0,
		  text, sizeof(text));
	flow_put(&flow, A_NORMAL, text);
	return (flow.y < flow.last ? flow.y : flow.last) + 1;
}

static void draw_heading(const struct live *live, int y)
{
	int x = 0;

	attron(A_REVERSE);
	put_cell(y, 0, COLS, false, "");
	for (int i = 0; i < COLUMN_COUNT && column_fits(i, x); i = next_column(live, i)) {
		chtype sorted = i == (int)live->options.rows.sort ? A_BOLD | A_UNDERLINE : 0;

		attron(sorted);
		put_cell(y, x, column_width(i), !is_text(i), column_title(live, i));
		attroff(sorted);
		x += column_width(i) + 1;
	}
	attroff(A_REVERSE);
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
	if (column == COLUMN_DENIED && cell->kind == CELL_NUMBER && cell->number > 0)
		return colour(COLOUR_WARNING);
	if (row->vm->ended || cell->kind == CELL_NOT_MEASURED)
		return A_DIM;
	return A_NORMAL;
}

static void draw_row(const struct live *live, int y, const struct row *row, bool marked)
{
	char text[VM_NAME_LEN];
	int x = 0;

	if (marked) {
		attron(A_REVERSE);
		put_cell(y, 0, COLS, false, "");
		attroff(A_REVERSE);
	}
	for (int i = 0; i < COLUMN_COUNT && column_fits(i, x); i = next_column(live, i)) {
		chtype attributes = cell_attributes(row, i, marked);

		row_text(row, i, text, sizeof(text));
		attron(attributes);
		put_cell(y, x, column_width(i), !is_text(i), text);
		attroff(attributes);
		x += column_width(i) + 1;
	}
}

static bool is_marked(const struct mark *mark, const struct snapshot_vm *vm)
{
	return mark->set && mark->pid == vm->pid && mark->creator_tid == vm->creator_tid &&
	       mark->fd == vm->fd;
}

/* Finds the marked VM again, else marks what has come to its place; scrolls so that it can be seen. */
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

static void draw_bottom(const struct live *live)
{
	char text[128];

	if (LINES < LINES_FOR_TITLE && live->mode != MODE_DELAY)
		return;
	if (live->mode == MODE_DELAY) {
		snprintf(text, sizeof(text), "Delay in seconds (%.1f to %.0f): %s", DELAY_MIN_S,
			 DELAY_MAX_S, live->prompt);
		put(LINES - 1, 0, text);
	} else if (live->complaint) {
		attron(colour(COLOUR_WARNING));
		put(LINES - 1, 0, live->complaint);
		attroff(colour(COLOUR_WARNING));
	} else {
		put(LINES - 1, 0, "q Quit  h Help  Space Pause  < > F6 Sort  R Reverse  t Totals  d Delay  +/-");
	}
}

static void draw_table(struct live *live)
{
	struct rows rows;
	int y;

	if (rows_build(&rows, live->before, live->now, &live->options.rows))
		return;
	y = 0;
	if (LINES >= LINES_FOR_TITLE) {
		draw_title(live, rows.count);
		y = draw_truth(live);
	}
	if (LINES > 1)
		draw_heading(live, y++);
	live->page = LINES - y - (LINES >= LINES_FOR_TITLE);
	settle_mark(live, &rows);
	for (int i = 0; i < live->page && live->first_row + i < rows.count; i++) {
		size_t at = live->first_row + i;

		draw_row(live, y + i, &rows.rows[at], live->mark.set && at == live->marked_row);
	}
	if (!rows.count) {
		char text[128];

		explain_empty(text, sizeof(text), live->now, live->options.rows.pid);
		put(y, 0, text);
	}
	/* For the next move. */
	if (live->mark.set && rows.count) {
		const struct snapshot_vm *vm = rows.rows[live->marked_row].vm;

		live->mark = (struct mark){ true, vm->pid, vm->creator_tid, vm->fd };
	}
	draw_bottom(live);
	rows_free(&rows);
}

static void draw_sort_menu(const struct live *live)
{
	/* With fewer lines than columns the menu scrolls. */
	int fit = LINES - 2 < COLUMN_COUNT ? LINES - 2 : COLUMN_COUNT;
	int first = (int)live->sort_choice < fit ? 0 : (int)live->sort_choice - fit + 1;

	attron(A_REVERSE);
	put_cell(0, 0, 22, false, " Sort by (Enter, Esc)");
	attroff(A_REVERSE);
	for (int i = 0; i < fit; i++) {
		int column = first + i;
		char text[32];

		snprintf(text, sizeof(text), " %s", layouts[column].rate);
		if (column == (int)live->sort_choice)
			attron(A_REVERSE);
		put_cell(1 + i, 0, 22, false, text);
		attroff(A_REVERSE);
	}
	if (fit >= 0)
		put_cell(1 + fit, 0, 22, false, "");
}

static void draw_help(const struct live *live)
{
	static const char * const keys[] = {
		"q Ctrl-C   quit                    up down PgUp PgDn Home End   move",
		"h ? F1     this page               left right                   more columns",
		"space      pause, go on            < >   sort by the column before, after",
		"d s        ask for the delay       F6    choose the column",
		"+ -        longer, shorter delay   R     turn the order round",
		"t          totals, per second",
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
	put(y++, 0, "n/a: not measured on this kernel; -: nothing to measure. Taken from:");
	for (int metric = 0; metric < METRIC_COUNT; metric++) {
		const struct snapshot_hook *hook = &live->now->hooks[metric];

		snprintf(text, sizeof(text), "%-11s %s", hook->metric, hook->hook);
		put(y++, 0, text);
		if (hook->note[0]) {
			snprintf(text, sizeof(text), "%-11s (*) %s", "", hook->note);
			put(y++, 0, text);
		}
	}
}

static void draw(struct live *live)
{
	erase();
	if (live->mode == MODE_HELP)
		draw_help(live);
	else
		draw_table(live);
	if (live->mode == MODE_SORT)
		draw_sort_menu(live);
	refresh();
}

static void set_delay(struct live *live, double seconds)
{
	if (seconds < DELAY_MIN_S || seconds > DELAY_MAX_S) {
		live->complaint = "That delay is out of range.";
		return;
	}
	live->options.delay_s = seconds;
	live->deadline_ns = live->now->time_ns + seconds * 1e9;
}

static void delay_key(struct live *live, int key)
{
	char *end;
	double seconds;

	if (!prompt_key(live->prompt, sizeof(live->prompt), key))
		return;
	live->mode = MODE_TABLE;
	seconds = strtod(live->prompt, &end);
	if (end == live->prompt)
		return;
	if (*end)
		live->complaint = "That is no number of seconds.";
	else
		set_delay(live, seconds);
}

static void sort_key(struct live *live, int key)
{
	switch (key) {
	case KEY_UP:
		if (live->sort_choice > 0)
			live->sort_choice--;
		return;
	case KEY_DOWN:
		if (live->sort_choice + 1 < COLUMN_COUNT)
			live->sort_choice++;
		return;
	case '\n':
	case KEY_ENTER:
		live->options.rows.sort = live->sort_choice;
		live->mode = MODE_TABLE;
		return;
	case ESCAPE:
	case 'q':
		live->mode = MODE_TABLE;
		return;
	}
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

static void table_key(struct live *live, int key)
{
	enum column *sort = &live->options.rows.sort;

	switch (key) {
	case 'q':
		live->quit = true;
		break;
	case 'h':
	case '?':
	case KEY_F(1):
		live->mode = MODE_HELP;
		break;
	case ' ':
		live->paused = !live->paused;
		/* Going on shows what happened meanwhile at once. */
		live->deadline_ns = monotonic_ns();
		break;
	case '<':
		*sort = (*sort + COLUMN_COUNT - 1) % COLUMN_COUNT;
		break;
	case '>':
		*sort = (*sort + 1) % COLUMN_COUNT;
		break;
	case KEY_F(6):
		live->sort_choice = *sort;
		live->mode = MODE_SORT;
		break;
	case 'R':
		live->options.rows.reverse = !live->options.rows.reverse;
		break;
	case 't':
		live->options.rows.totals = !live->options.rows.totals;
		break;
	case 's':
	case 'd':
		live->prompt[0] = '\0';
		live->mode = MODE_DELAY;
		break;
	case '+':
	case '-':
		set_delay(live, step_delay(live->options.delay_s, key == '+'));
		break;
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
	case KEY_LEFT:
		if (live->first_column > 0)
			live->first_column--;
		break;
	case KEY_RIGHT:
		if (COLUMN_NAME + 1 + live->first_column < COLUMN_COUNT - 1)
			live->first_column++;
		break;
	}
}

static void handle_key(struct live *live, int key)
{
	live->complaint = NULL;
	if (key == CONTROL('L'))
		clearok(curscr, TRUE);
	else if (live->mode == MODE_DELAY)
		delay_key(live, key);
	else if (live->mode == MODE_SORT)
		sort_key(live, key);
	else if (live->mode == MODE_HELP)
		live->mode = MODE_TABLE;
	else
		table_key(live, key);
}

static int take_snapshot(struct live *live)
{
	struct snapshot *s = collector_snapshot(live->collector);

	if (!s)
		return -ENOMEM;
	snapshot_free(live->before);
	live->before = live->now;
	live->now = s;
	live->deadline_ns = s->time_ns + live->options.delay_s * 1e9;
	return 0;
}

static int timeout_ms(const struct live *live)
{
	uint64_t now_ns = monotonic_ns();

	if (live->paused)
		return -1;
	if (now_ns >= live->deadline_ns)
		return 0;
	/* Rounded up: waking early would mean waking twice. */
	return (live->deadline_ns - now_ns) / 1000000 + 1;
}

static int run(struct live *live, int signals)
{
	unsigned long left = live->options.count;
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	int key;

	if (take_snapshot(live))
		return -ENOMEM;
	while (!live->quit) {
		draw(live);
		if (poll(fds, 2, timeout_ms(live)) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents)
			live->quit |= !screen_signal(signals);
		if (fds[0].revents) {
			while ((key = getch()) != ERR)
				handle_key(live, key);
			/* Nobody is left at the terminal. */
			if (fds[0].revents & (POLLHUP | POLLERR))
				return 0;
		}
		if (live->paused || monotonic_ns() < live->deadline_ns)
			continue;
		if (take_snapshot(live))
			return -ENOMEM;
		if (live->options.count && !--left)
			return 0;
	}
	return 0;
}

int live_run(struct collector *collector, const struct view_options *options)
{
	struct live live = { .collector = collector, .options = *options };
	SCREEN *screen;
	int signals, err;

	signals = screen_signals();
	screen = screen_open();
	if (!screen)
		return diag_fail(EXIT_FAILED, "memattr-top -b, or another TERM",
				 "no screen on a terminal of type '%s'", getenv("TERM") ?: "");
	err = run(&live, signals);
	endwin();
	delscreen(screen);
	close(signals);
	snapshot_free(live.before);
	snapshot_free(live.now);
	if (err)
		return diag_fail(EXIT_FAILED, "", "%s", strerror(-err));
	return EXIT_OK;
}
