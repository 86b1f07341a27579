// SPDX-License-Identifier: GPL-2.0
/* The screen: one table, the slowest faults, a menu to sort, a prompt for the delay, a page of help. */
#define _GNU_SOURCE
#include "screen.h"
#include "views.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format.h"
#include "kinds.h"

#define PROMPT_LEN	16

/* On fewer the VMs need all of them. */
#define LINES_FOR_TITLE	4

enum mode {
	MODE_TABLE,
	MODE_SLOWEST,
	MODE_HELP,
	MODE_SORT,	/* menu */
	MODE_DELAY,	/* prompt */
};

static const struct layout {
	const char *title;
	int width;
	const char *help;
} layouts[COLUMN_COUNT] = {
	[COLUMN_PID] = { "PID", 7, NULL },
	[COLUMN_NAME] = { "NAME", 12, NULL },
	[COLUMN_VCPU] = { "VCPU", 4, NULL },
	[COLUMN_FAULTS] = { "FAULT", 5, "stage-2 faults of the guest" },
	[COLUMN_PRIVATE] = { "PRIV", 5, "of private memory" },
	[COLUMN_SHARED] = { "SHRD", 5, "of shared memory" },
	[COLUMN_P50_NS] = { "P50", 5, "half of the faults took no longer in KVM" },
	[COLUMN_P90_NS] = { "P90", 5, NULL },
	[COLUMN_P99_NS] = { "P99", 5, "99 of 100 took no longer" },
	[COLUMN_MAX_NS] = { "MAX", 5, NULL },
	[COLUMN_4K] = { "4K", 5, "mapped, or found mapped, by a page of this size" },
	[COLUMN_2M] = { "2M", 5, NULL },
	[COLUMN_1G] = { "1G", 5, NULL },
	[COLUMN_SPURIOUS] = { "SPUR", 5, "mapped already, by another vCPU for example" },
	[COLUMN_RETRIED] = { "RETRY", 5, "to be tried again: the mapping was changing" },
	[COLUMN_OTHER] = { "OTHER", 5, "emulated, write-protected" },
	[COLUMN_FAILED] = { "FAIL", 5, "failed, or left to the VMM" },
	[COLUMN_CALLS] = { "CALL", 5, "KVM_PRE_FAULT_MEMORY" },
	[COLUMN_FAILED_CALLS] = { "CFAIL", 5, "those that failed" },
	[COLUMN_CALL_P50_NS] = { "CP50", 5, "half of the calls took no longer" },
	[COLUMN_CALL_P99_NS] = { "CP99", 5, NULL },
	[COLUMN_DONE_PAGES] = { "DONE", 5, "pages the calls have done" },
	[COLUMN_NEW_PAGES] = { "NEW", 5, "pages mapped ahead that were not mapped before" },
	[COLUMN_OLD_PAGES] = { "OLD", 5, "those that were: work for nothing" },
};

/* As they are shown: what is asked first comes first. */
static const enum column order[COLUMN_COUNT] = {
	COLUMN_PID, COLUMN_NAME, COLUMN_VCPU, COLUMN_FAULTS, COLUMN_PRIVATE, COLUMN_SHARED,
	COLUMN_P50_NS, COLUMN_P99_NS, COLUMN_CALLS, COLUMN_CALL_P50_NS, COLUMN_NEW_PAGES,
	COLUMN_OLD_PAGES, COLUMN_4K, COLUMN_2M, COLUMN_1G, COLUMN_P90_NS, COLUMN_MAX_NS,
	COLUMN_SPURIOUS, COLUMN_RETRIED, COLUMN_OTHER, COLUMN_FAILED, COLUMN_FAILED_CALLS,
	COLUMN_CALL_P99_NS, COLUMN_DONE_PAGES,
};

/* These stay when the others are scrolled. */
#define FIXED_COLUMNS 3

struct live {
	struct source *source;
	struct view_options options;
	struct snapshot *before, *now;
	uint64_t deadline_ns;
	bool paused;
	bool ended;		/* the record has */
	bool quit;

	enum mode mode;
	int first_column;	/* after those that stay */
	size_t first_row;
	size_t row_count;	/* as drawn last, as is */
	int page;		/* rows that fit the screen */
	int sort_choice;	/* in the menu, place in order[] */
	char prompt[PROMPT_LEN];
	const char *complaint;
};

static int place_of(enum column column)
{
	for (int i = 0; i < COLUMN_COUNT; i++)
		if (order[i] == column)
			return i;
	return 0;
}

static void draw_title(const struct live *live, const struct rows *rows)
{
	const struct rows_options *options = &live->options.rows;
	char text[256], clock[16];

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&live->now->wall));
	snprintf(text, sizeof(text), "prefault-trace %s  %zu %s%s%s  every %.4g s  %s", clock,
		 rows->count, options->vcpus ? "vCPU" : "VM", rows->count == 1 ? "" : "s",
		 options->pid ? " of one process" : "", live->options.delay_s,
		 options->totals ? "totals" : "per second");
	attron(A_BOLD);
	put(0, 0, text);
	if (live->ended)
		put(0, strlen(text) + 2, "END OF RECORD");
	else if (live->paused)
		put(0, strlen(text) + 2, "PAUSED");
	attroff(A_BOLD);
}

/* What the figures rest on. Returns the line after it. */
static int draw_truth(const struct live *live)
{
	const struct snapshot *before = live->before, *now = live->now;
	/* The table comes first where there are few lines. */
	struct flow flow = { .y = 1, .last = (LINES - 4) / 4 };
	char text[2 * HOOK_TEXT_LEN];

	if (flow.last < 1)
		return 1;
	for (int metric = 0; metric < METRIC_SHOWN; metric++) {
		const struct snapshot_hook *hook = &now->hooks[metric];
		bool missing = !strcmp(hook->hook, "n/a");

		/* A note says that the figures are not quite what the heading says. */
		snprintf(text, sizeof(text), "%s %s%s", hook->metric, hook->hook,
			 hook->note[0] && !missing ? "(*)" : "");
		flow_put(&flow, missing ? colour(COLOUR_WARNING) : A_NORMAL, text);
	}
	snprintf(text, sizeof(text), "lost %" PRIu64, now->lost_events);
	flow_put(&flow, now->lost_events ? colour(COLOUR_LOSS) : A_NORMAL, text);
	if (now->folded) {
		snprintf(text, sizeof(text), "lost stacks %" PRIu64, now->lost_stacks);
		flow_put(&flow, now->lost_stacks ? colour(COLOUR_LOSS) : A_NORMAL, text);
	}
	cost_text(before ? &before->cost : NULL, &now->cost, before ? now->time_ns - before->time_ns : 0,
		  text, sizeof(text));
	flow_put(&flow, A_NORMAL, text);
	return (flow.y < flow.last ? flow.y : flow.last) + 1;
}

/* Names get what is left over of a wide screen. */
static int column_width(enum column column)
{
	int total = COLUMN_COUNT - 1;

	if (column != COLUMN_NAME)
		return layouts[column].width;
	for (int i = 0; i < COLUMN_COUNT; i++)
		total += layouts[i].width;
	return layouts[column].width + (COLS > total ? COLS - total : 0);
}

/* Half a number is another number: only text may be cut. */
static bool column_fits(enum column column, int x)
{
	return x + (column == COLUMN_NAME ? 1 : column_width(column)) <= COLS;
}

/* The place of the next column that is drawn. */
static int next_place(const struct live *live, int place)
{
	return place == FIXED_COLUMNS - 1 ? FIXED_COLUMNS + live->first_column : place + 1;
}

static void row_text(const struct row *row, enum column column, char *text, size_t size)
{
	if (column == COLUMN_NAME)
		snprintf(text, size, "%s", row->vm->name);
	else if (column == COLUMN_VCPU && row->vcpu == VCPU_ALL)
		snprintf(text, size, "all");
	else
		cell_text(&row->cells[column], column_unit(column), text, size);
}

static chtype cell_attributes(const struct row *row, enum column column)
{
	const struct cell *cell = &row->cells[column];
	bool bad = column == COLUMN_FAILED || column == COLUMN_FAILED_CALLS;

	if (bad && cell->kind == CELL_NUMBER && cell->number > 0)
		return colour(COLOUR_WARNING);
	if (row->vm->ended || cell->kind == CELL_NOT_MEASURED)
		return A_DIM;
	return A_NORMAL;
}

static void draw_heading(const struct live *live, int y)
{
	int x = 0;

	attron(A_REVERSE);
	put_cell(y, 0, COLS, false, "");
	for (int i = 0; i < COLUMN_COUNT && column_fits(order[i], x); i = next_place(live, i)) {
		enum column column = order[i];
		chtype sorted = column == live->options.rows.sort ? A_BOLD | A_UNDERLINE : 0;

		attron(sorted);
		put_cell(y, x, column_width(column), column != COLUMN_NAME, layouts[column].title);
		attroff(sorted);
		x += column_width(column) + 1;
	}
	attroff(A_REVERSE);
}

static void draw_row(const struct live *live, int y, const struct row *row)
{
	char text[VM_NAME_LEN];
	int x = 0;

	for (int i = 0; i < COLUMN_COUNT && column_fits(order[i], x); i = next_place(live, i)) {
		enum column column = order[i];
		chtype attributes = cell_attributes(row, column);

		row_text(row, column, text, sizeof(text));
		attron(attributes);
		put_cell(y, x, column_width(column), column != COLUMN_NAME, text);
		attroff(attributes);
		x += column_width(column) + 1;
	}
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
		put(LINES - 1, 0, "q Quit  h Help  Space Pause  v vCPUs  l Slowest  < > F6 Sort  t Totals  d Delay");
	}
}

/* No empty lines below while there are rows above. */
static void settle_first_row(struct live *live, size_t count)
{
	size_t page = live->page > 0 ? live->page : 1;

	live->row_count = count;
	if (live->first_row + page > count)
		live->first_row = count > page ? count - page : 0;
}

static void draw_table(struct live *live)
{
	struct rows rows;
	int y = 0;

	if (rows_build(&rows, live->before, live->now, &live->options.rows))
		return;
	if (LINES >= LINES_FOR_TITLE) {
		draw_title(live, &rows);
		y = draw_truth(live);
	}
	if (LINES > 1)
		draw_heading(live, y++);
	live->page = LINES - y - (LINES >= LINES_FOR_TITLE);
	settle_first_row(live, rows.count);
	for (int i = 0; i < live->page && live->first_row + i < rows.count; i++)
		draw_row(live, y + i, &rows.rows[live->first_row + i]);
	if (!rows.count) {
		char text[128];

		explain_empty(text, sizeof(text), live->options.rows.pid);
		put(y, 0, text);
	}
	draw_bottom(live);
	rows_free(&rows);
}

/* As many lines as they take; returns the one after them. */
static int draw_frames(int y, const char *frames)
{
	const int indent = 7;
	size_t width = COLS > indent + 1 ? COLS - indent : 1;

	attron(A_DIM);
	while (*frames && y < LINES) {
		size_t len = strlen(frames), part = len < width ? len : width;
		char text[256];

		/* Between two names, if there is a place. */
		for (size_t cut = part; part < len && cut > 0; cut--) {
			if (frames[cut - 1] == ';') {
				part = cut;
				break;
			}
		}
		snprintf(text, sizeof(text), "%.*s", (int)part, frames);
		put_cell(y++, indent, COLS - indent, false, text);
		frames += part;
	}
	attroff(A_DIM);
	return y;
}

/* What each was, and where. */
static void draw_slowest(struct live *live)
{
	const struct snapshot *now = live->now;
	unsigned int shown = 0;
	char text[256], ns[16];
	int y = 1;

	attron(A_BOLD);
	put(0, 0, "Slowest faults since the start (any key: back)");
	attroff(A_BOLD);
	for (size_t i = 0; i < now->slow_count && shown < live->options.slowest; i++) {
		const struct snapshot_slow *slow = &now->slow[i];

		if (live->options.rows.pid && slow->pid != live->options.rows.pid)
			continue;
		format_ns(ns, sizeof(ns), slow->ns);
		snprintf(text, sizeof(text), "%5s  gpa 0x%" PRIx64 "  %s-%d  vCPU %u  %s %s %s %s", ns,
			 slow->gpa, slow->name, slow->pid, slow->vcpu, kind_alias(slow->kind.alias),
			 kind_level(slow->kind.level), kind_access(slow->kind.access),
			 kind_result(slow->kind.event, slow->kind.result));
		put_cell(y++, 0, COLS, false, text);
		y = draw_frames(y, slow->frames);
		shown++;
	}
	if (!shown)
		put(y, 0, now->measured & MEASURE_FAULT_ENDS ? "none so far" :
		    "n/a: this kernel does not tell how long a fault takes");
}

static void draw_sort_menu(const struct live *live)
{
	/* With fewer lines than columns the menu scrolls. */
	int fit = LINES - 2 < COLUMN_COUNT ? LINES - 2 : COLUMN_COUNT;
	int first = live->sort_choice < fit ? 0 : live->sort_choice - fit + 1;

	attron(A_REVERSE);
	put_cell(0, 0, 22, false, " Sort by (Enter, Esc)");
	attroff(A_REVERSE);
	for (int i = 0; i < fit; i++) {
		char text[32];

		snprintf(text, sizeof(text), " %s", layouts[order[first + i]].title);
		if (first + i == live->sort_choice)
			attron(A_REVERSE);
		put_cell(1 + i, 0, 22, false, text);
		attroff(A_REVERSE);
	}
}

static void draw_help(const struct live *live)
{
	static const char * const keys[] = {
		"q Ctrl-C   quit                up down PgUp PgDn Home End  move",
		"h ? F1     this page           left right                  more columns",
		"space      pause, go on        < >   sort by the column before, after",
		"v          VMs, vCPUs          F6    choose the column",
		"l          slowest faults      R     turn the order round",
		"t          totals, per second  d s + -  the delay",
	};
	char text[3 * HOOK_TEXT_LEN];
	int y = 0;

	attron(A_BOLD);
	put(y++, 0, "prefault-trace " MEMATTR_VERSION);
	attroff(A_BOLD);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		put(y++, 0, keys[i]);
	put(y++, 0, "n/a: not measured on this kernel; -: nothing to measure. Taken from:");
	for (int metric = 0; metric < METRIC_COUNT; metric++) {
		const struct snapshot_hook *hook = &live->now->hooks[metric];

		snprintf(text, sizeof(text), "%-12s %s%s%s", hook->metric, hook->hook,
			 hook->note[0] ? "  (*) " : "", hook->note);
		put(y++, 0, text);
	}
	for (int i = 0; i < COLUMN_COUNT; i++) {
		if (!layouts[order[i]].help)
			continue;
		snprintf(text, sizeof(text), "%-6s %s", layouts[order[i]].title,
			 layouts[order[i]].help);
		put(y++, 0, text);
	}
}

static void draw(struct live *live)
{
	erase();
	if (live->mode == MODE_HELP)
		draw_help(live);
	else if (live->mode == MODE_SLOWEST)
		draw_slowest(live);
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
	live->deadline_ns = monotonic_ns() + seconds * 1e9;
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
		live->options.rows.sort = order[live->sort_choice];
		live->mode = MODE_TABLE;
		return;
	case ESCAPE:
	case 'q':
		live->mode = MODE_TABLE;
		return;
	}
}

/* The end is settled when it is drawn. */
static void scroll_rows(struct live *live, long by)
{
	long to = (long)live->first_row + by;

	live->first_row = to > 0 ? to : 0;
}

static void step_sort(struct live *live, int by)
{
	int place = place_of(live->options.rows.sort) + by;

	live->options.rows.sort = order[(place + COLUMN_COUNT) % COLUMN_COUNT];
}

static void table_key(struct live *live, int key)
{
	switch (key) {
	case 'q':
		live->quit = true;
		break;
	case 'h':
	case '?':
	case KEY_F(1):
		live->mode = MODE_HELP;
		break;
	case 'l':
		live->mode = MODE_SLOWEST;
		break;
	case 'v':
		live->options.rows.vcpus = !live->options.rows.vcpus;
		break;
	case ' ':
		live->paused = !live->paused;
		/* Going on shows what happened meanwhile at once. */
		live->deadline_ns = monotonic_ns();
		break;
	case '<':
	case '>':
		step_sort(live, key == '<' ? -1 : 1);
		break;
	case KEY_F(6):
		live->sort_choice = place_of(live->options.rows.sort);
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
	case KEY_DOWN:
		scroll_rows(live, key == KEY_UP ? -1 : 1);
		break;
	case KEY_PPAGE:
	case KEY_NPAGE:
		scroll_rows(live, key == KEY_PPAGE ? -live->page : live->page);
		break;
	case KEY_HOME:
	case KEY_END:
		live->first_row = key == KEY_HOME ? 0 : live->row_count;
		break;
	case KEY_LEFT:
		if (live->first_column > 0)
			live->first_column--;
		break;
	case KEY_RIGHT:
		if (FIXED_COLUMNS + live->first_column < COLUMN_COUNT - 1)
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
	else if (live->mode == MODE_HELP || live->mode == MODE_SLOWEST)
		live->mode = MODE_TABLE;
	else
		table_key(live, key);
}

/* False: @why says why, or the record has ended. */
static bool take_snapshot(struct live *live, struct diag *why)
{
	struct snapshot *s = source_next(live->source, why);

	if (!s)
		return false;
	snapshot_free(live->before);
	live->before = live->now;
	live->now = s;
	live->deadline_ns = monotonic_ns() + live->options.delay_s * 1e9;
	return true;
}

static int timeout_ms(const struct live *live)
{
	uint64_t now_ns = monotonic_ns();

	if (live->paused || live->ended)
		return -1;
	if (now_ns >= live->deadline_ns)
		return 0;
	/* Rounded up: waking early would mean waking twice. */
	return (live->deadline_ns - now_ns) / 1000000 + 1;
}

static bool is_due(const struct live *live)
{
	return !live->paused && !live->ended && monotonic_ns() >= live->deadline_ns;
}

static void run(struct live *live, int signals, struct diag *why)
{
	unsigned long left = live->options.count;
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	int key;

	if (!take_snapshot(live, why))
		return;
	while (!live->quit) {
		draw(live);
		if (poll(fds, 2, timeout_ms(live)) < 0 && errno != EINTR) {
			diag_set(why, "", "%s", strerror(errno));
			return;
		}
		if (fds[1].revents)
			live->quit |= !screen_signal(signals);
		if (fds[0].revents) {
			while ((key = getch()) != ERR)
				handle_key(live, key);
			/* Nobody is left at the terminal. */
			if (fds[0].revents & (POLLHUP | POLLERR))
				return;
		}
		if (live->quit || !is_due(live))
			continue;
		if (!take_snapshot(live, why)) {
			if (why->cause[0])
				return;
			live->ended = true;
		} else if (live->options.count && !--left) {
			return;
		}
	}
}

int live_run(struct source *source, const struct view_options *options)
{
	struct live live = { .source = source, .options = *options };
	struct diag why = {};
	int signals = screen_signals();
	SCREEN *screen = screen_open();
	int status = EXIT_OK;

	if (!screen)
		return diag_fail(EXIT_FAILED, "prefault-trace -b, or another TERM",
				 "no screen on a terminal of type '%s'", getenv("TERM") ?: "");
	run(&live, signals, &why);
	endwin();
	delscreen(screen);
	close(signals);
	if (live.now)
		status = write_folded(options, live.now);
	snapshot_free(live.before);
	snapshot_free(live.now);
	if (why.cause[0])
		return diag_print(&why, EXIT_FAILED);
	return status;
}
