// SPDX-License-Identifier: GPL-2.0
/* The screen: one table, the slowest faults, a menu to sort, a prompt for the delay, a page of help. */
#define _GNU_SOURCE
#include "view.h"
#include "views.h"

#include <inttypes.h>
#include <string.h>

#include "format.h"
#include "kinds.h"

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
	[COLUMN_P50_NS] = { "P50", 5, "median time of a fault in KVM" },
	[COLUMN_P90_NS] = { "P90", 5, NULL },
	[COLUMN_P99_NS] = { "P99", 5, "99th percentile of it" },
	[COLUMN_MAX_NS] = { "MAX", 5, NULL },
	[COLUMN_4K] = { "4K", 5, "faults after which a page of this size maps the memory" },
	[COLUMN_2M] = { "2M", 5, NULL },
	[COLUMN_1G] = { "1G", 5, NULL },
	[COLUMN_SPURIOUS] = { "SPUR", 5, "mapped already, by another vCPU for example" },
	[COLUMN_RETRIED] = { "RETRY", 5, "the guest has to retry: the mapping was changing" },
	[COLUMN_OTHER] = { "OTHER", 5, "emulated, write-protected" },
	[COLUMN_FAILED] = { "FAIL", 5, "failed, or left to the VMM" },
	[COLUMN_CALLS] = { "CALL", 5, "calls of KVM_PRE_FAULT_MEMORY" },
	[COLUMN_FAILED_CALLS] = { "CFAIL", 5, "calls that failed" },
	[COLUMN_CALL_P50_NS] = { "CP50", 5, "median time of a call" },
	[COLUMN_CALL_P99_NS] = { "CP99", 5, NULL },
	[COLUMN_DONE_PAGES] = { "DONE", 5, "pages that calls went through" },
	[COLUMN_NEW_PAGES] = { "NEW", 5, "pages mapped ahead that were not mapped before" },
	[COLUMN_OLD_PAGES] = { "OLD", 5, "pages that were mapped already: work for nothing" },
	[COLUMN_USED_PERCENT] = { "USED%", 5, "share of the pages mapped ahead that the guest touched" },
	[COLUMN_TOUCHED] = { "TOUCH", 5, "pages mapped ahead that the guest touched" },
	[COLUMN_UNUSED] = { "UNUSE", 5, "pages unmapped before the guest touched them" },
	[COLUMN_UNTOUCHED] = { "IDLE", 5, "pages mapped ahead and not touched so far" },
	[COLUMN_PREFAULTED] = { "LATE", 5, "faults on pages that turned out to be mapped ahead" },
	[COLUMN_WINDOWS] = { "WIND", 5, "windows that a policy wanted mapped" },
	[COLUMN_PROPOSED_PAGES] = { "WANT", 5, "pages in these windows" },
	[COLUMN_GRANTED_PAGES] = { "GRANT", 5, "pages of them that KVM agreed to map" },
};

/* The columns in the order on the screen: those that answer the first questions come first. */
static const enum column order[COLUMN_COUNT] = {
	COLUMN_PID, COLUMN_NAME, COLUMN_VCPU, COLUMN_FAULTS, COLUMN_PRIVATE, COLUMN_SHARED,
	COLUMN_P50_NS, COLUMN_P99_NS, COLUMN_CALLS, COLUMN_CALL_P50_NS, COLUMN_NEW_PAGES,
	COLUMN_USED_PERCENT, COLUMN_TOUCHED, COLUMN_UNUSED, COLUMN_UNTOUCHED, COLUMN_OLD_PAGES,
	COLUMN_WINDOWS, COLUMN_PROPOSED_PAGES, COLUMN_GRANTED_PAGES, COLUMN_PREFAULTED, COLUMN_4K,
	COLUMN_2M, COLUMN_1G, COLUMN_P90_NS, COLUMN_MAX_NS, COLUMN_SPURIOUS, COLUMN_RETRIED,
	COLUMN_OTHER, COLUMN_FAILED, COLUMN_FAILED_CALLS, COLUMN_CALL_P99_NS, COLUMN_DONE_PAGES,
};

/* These stay when the others are scrolled. */
#define FIXED_COLUMNS 3

static struct table_column columns[COLUMN_COUNT];

struct live {
	struct source *source;
	struct view_options options;
	struct snapshot *before, *now;
	struct view view;

	size_t first_row;
	size_t row_count;	/* when it was drawn last, as is */
	int page;		/* rows that fit the screen */
};

static int place_of(enum column column)
{
	for (int i = 0; i < COLUMN_COUNT; i++)
		if (order[i] == column)
			return i;
	return 0;
}

static void place_columns(struct live *live)
{
	int total = COLUMN_COUNT - 1;

	for (int i = 0; i < COLUMN_COUNT; i++) {
		const struct layout *layout = &layouts[order[i]];

		columns[i] = (struct table_column){
			.name = layout->title,
			.title = layout->title,
			.width = layout->width,
			.text = order[i] == COLUMN_NAME,
		};
		total += layout->width;
	}
	/* On a wide screen the remaining width goes to the names. */
	if (COLS > total)
		columns[place_of(COLUMN_NAME)].width += COLS - total;
	table_place(&live->view.table);
}

static void draw_title(const struct live *live, const struct rows *rows)
{
	const struct rows_options *options = &live->options.rows;
	char text[256], clock[16];

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&live->now->wall));
	snprintf(text, sizeof(text), "prefault-trace %s  %zu %s%s%s  every %.4g s  %s", clock,
		 rows->count, options->vcpus ? "vCPU" : "VM", rows->count == 1 ? "" : "s",
		 options->pid ? " of one process" : "", live->view.delay_s,
		 options->totals ? "totals" : "per second");
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
	view_truth(&flow, now->hooks, METRIC_SHOWN, now->lost_events);
	if (now->folded) {
		snprintf(text, sizeof(text), "lost stacks %" PRIu64, now->lost_stacks);
		flow_put(&flow, now->lost_stacks ? colour(COLOUR_LOSS) : A_NORMAL, text);
	}
	cost_text(before ? &before->cost : NULL, &now->cost, before ? now->time_ns - before->time_ns : 0,
		  text, sizeof(text));
	flow_put(&flow, A_NORMAL, text);
	return (flow.y < flow.last ? flow.y : flow.last) + 1;
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

static void draw_row(const struct live *live, int y, const struct row *row)
{
	char text[VM_NAME_LEN];

	for (int i = 0; i < COLUMN_COUNT; i++) {
		row_text(row, order[i], text, sizeof(text));
		table_cell(&live->view.table, y, i, cell_attributes(row, order[i]), text);
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
	struct rows_options *options = &live->options.rows;
	struct rows rows;
	int y = 0;

	options->totals = live->view.totals;
	options->sort = order[live->view.table.sort];
	options->reverse = live->view.reverse;
	if (rows_build(&rows, live->before, live->now, options))
		return;
	if (LINES >= LINES_FOR_TITLE) {
		draw_title(live, &rows);
		y = draw_truth(live);
	}
	place_columns(live);
	if (LINES > 1)
		table_heading(&live->view.table, y++);
	live->page = LINES - y - (LINES >= LINES_FOR_TITLE);
	settle_first_row(live, rows.count);
	for (int i = 0; i < live->page && live->first_row + i < rows.count; i++)
		draw_row(live, y + i, &rows.rows[live->first_row + i]);
	if (!rows.count) {
		char text[128];

		explain_empty(text, sizeof(text), options->pid);
		put(y, 0, text);
	}
	view_bottom(&live->view,
		    "q Quit  h Help  Space Pause  v vCPUs  l Slowest  < > F6 Sort  t Totals  d Delay");
	rows_free(&rows);
}

/* Draws the frames on as many lines as they take. Returns the next line. */
static int draw_frames(int y, const char *frames)
{
	const int indent = 7;
	size_t width = COLS > indent + 1 ? COLS - indent : 1;

	attron(A_DIM);
	while (*frames && y < LINES) {
		size_t len = strlen(frames), part = len < width ? len : width;
		char text[256];

		/* Break the line between two names, if possible. */
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

/* Draws what each of the slowest faults was, and its stack. */
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
		    "n/a: on this kernel the duration of a fault cannot be measured");
}

static void draw_help(const struct live *live)
{
	static const char * const keys[] = {
		"q Ctrl-C   quit                up down PgUp PgDn Home End  move",
		"h ? F1     this page           left right                  scroll columns",
		"space      pause, resume       < >   sort by the previous or next column",
		"v          VMs or vCPUs        F6    choose the sort column",
		"l          slowest faults      R     reverse the order",
		"t          totals or per second  d s + -  the delay",
	};
	char text[3 * HOOK_TEXT_LEN];
	int y = 0;

	attron(A_BOLD);
	put(y++, 0, "prefault-trace " MEMATTR_VERSION);
	attroff(A_BOLD);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		put(y++, 0, keys[i]);
	put(y++, 0, "n/a: not measured on this kernel; -: nothing to measure. Figures come from:");
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
	view_help_end(y, "prefault-trace");
}

static void draw(struct live *live)
{
	erase();
	if (live->view.mode == VIEW_HELP)
		draw_help(live);
	else if (live->view.mode == VIEW_OTHER)
		draw_slowest(live);
	else
		draw_table(live);
	if (live->view.mode == VIEW_SORT)
		table_menu(&live->view.table, live->view.sort_choice);
	refresh();
}

/* Drawing the table limits the last position. */
static void scroll_rows(struct live *live, long by)
{
	long to = (long)live->first_row + by;

	live->first_row = to > 0 ? to : 0;
}

static void own_key(struct live *live, int key)
{
	switch (key) {
	case 'l':
		live->view.mode = VIEW_OTHER;
		break;
	case 'v':
		live->options.rows.vcpus = !live->options.rows.vcpus;
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
	}
}

/* Returns false on failure, and @why says why; or, with @why empty, at the end of the record. */
static bool take_snapshot(struct live *live, struct diag *why)
{
	struct snapshot *s = source_next(live->source, why);

	if (!s)
		return false;
	snapshot_free(live->before);
	live->before = live->now;
	live->now = s;
	view_taken(&live->view, monotonic_ns());
	return true;
}

static void run(struct live *live, struct diag *why)
{
	struct view *view = &live->view;
	unsigned long left = live->options.count;
	int err, key;

	if (!take_snapshot(live, why))
		return;
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
			view->ended = true;
		} else if (live->options.count && !--left) {
			return;
		}
	}
}

int live_run(struct source *source, const struct view_options *options)
{
	struct live live = {
		.source = source,
		.options = *options,
		.view = {
			.table = {
				.columns = columns,
				.count = COLUMN_COUNT,
				.fixed = FIXED_COLUMNS,
				.sort = place_of(options->rows.sort),
			},
			.totals = options->rows.totals,
			.delay_s = options->delay_s,
		},
	};
	struct diag why = {};
	int status = view_open(&live.view, "prefault-trace -b, or another value of TERM");

	if (status)
		return status;
	run(&live, &why);
	view_close(&live.view);
	if (live.now)
		status = write_folded(options, live.now);
	snapshot_free(live.before);
	snapshot_free(live.now);
	if (why.cause[0])
		return diag_print(&why, EXIT_FAILED);
	return status;
}
