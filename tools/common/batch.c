// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "batch.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "rows.h"

#define HEADING_LEN	32
#define NUMBER_WIDTH	9

const char *unit_suffix(enum cell_unit unit)
{
	return unit == UNIT_NS ? "_ns" : unit == UNIT_PERCENT ? "_percent" : unit == UNIT_BYTES ? "_bytes" : "";
}

const char *column_text(const struct column *column, const struct row *row)
{
	return column->text ? column->text(row) : NULL;
}

bool text_is_none(const struct column *column, const char *text)
{
	return column->text != row_name && (!strcmp(text, "n/a") || !strcmp(text, "-"));
}

/* Numbers have no units, so that scripts can use them as they are: pages, and us for latencies. */
static int heading(const struct column *column, bool totals, char text[HEADING_LEN])
{
	const char *unit = column->unit == UNIT_NS ? "_us" : column->unit == UNIT_PERCENT ? "_%" :
			   column->unit == UNIT_COUNT && !totals ? "/s" : "";
	int i, width;

	for (i = 0; column->key[i] && i < HEADING_LEN - 8; i++)
		text[i] = toupper((unsigned char)column->key[i]);
	snprintf(text + i, HEADING_LEN - i, "%s", unit);
	width = strlen(text);
	if (column->unit == UNIT_TEXT)
		return -(column->width > 15 ? column->width : 15);
	if (column->width > width)
		return column->width;
	return column->unit == UNIT_NAME || width > NUMBER_WIDTH ? width : NUMBER_WIDTH;
}

static void table_begin(FILE *out, const struct tool *tool, const struct args *args)
{
	const struct sheet *sheet = &tool->sheets[args->sheet];
	char text[HEADING_LEN];

	fprintf(out, "%-8s", "TIME");
	for (int i = 0; i < sheet->column_count; i++) {
		int width = heading(&sheet->columns[i], args->totals, text);

		if (sheet->columns[i].trend)
			continue;
		fprintf(out, " %*s", width, text);
	}
	fputc('\n', out);
}

static void print_row(FILE *out, const struct sheet *sheet, const struct row *row, bool totals)
{
	char clock[16], text[HEADING_LEN];

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&row->pair->now->wall));
	fputs(clock, out);
	for (int i = 0; i < sheet->column_count; i++) {
		const struct column *column = &sheet->columns[i];
		const char *word = column_text(column, row);
		int width = heading(column, totals, text);

		if (column->trend)
			continue;
		if (word)
			word_print(out, word, width);
		else
			cell_print(out, &row->cells[i], column->unit, totals, width);
	}
	fputc('\n', out);
}

static int table_interval(FILE *out, const struct tool *tool, const struct snapshot *before,
			  const struct snapshot *now, const struct args *args)
{
	struct pair pair = pair_of(before, now, args->totals);
	const struct sheet *sheet = &tool->sheets[args->sheet];
	struct rows_options options = { .pid = args->pid, .sort = sheet->sort };
	struct rows rows;
	int err = rows_build(&rows, sheet, &pair, &options);

	for (size_t i = 0; i < rows.count; i++)
		print_row(out, sheet, &rows.rows[i], args->totals);
	rows_free(&rows);
	return err;
}

static void table_end(FILE *out, const struct tool *tool, const struct snapshot *now, const struct args *args)
{
	if (tool->batch_end)
		tool->batch_end(out, now, args);
}

const struct format table_format = { table_begin, table_interval, table_end };

/* Whoever reads stdout may want a file there instead: then nothing else is printed. */
static const struct format no_format;

void say_cost(const struct tool *tool, const struct snapshot *now)
{
	fprintf(stderr, "%s: lost: %" PRIu64 " events", tool->name, now->lost_events);
	if (now->has_stacks)
		fprintf(stderr, ", %" PRIu64 " stacks", now->lost_stacks);
	fprintf(stderr, "; ");
	cost_print(&now->cost);
	if (now->lost_events && tool->lost_help)
		fprintf(stderr, "%s: try: %s\n", tool->name, tool->lost_help);
}

static bool has_vm(const struct snapshot *s, pid_t pid)
{
	for (size_t i = 0; i < s->lists[0].count; i++)
		if (vm_is_of(snapshot_item(s, 0, i), pid))
			return true;
	return false;
}

/* Says once in a while of no VM that there is none. */
static void say_empty(const struct tool *tool, const struct snapshot *now, const struct args *args, bool *empty)
{
	bool was_empty = *empty;
	char text[128];

	*empty = !has_vm(now, args->pid);
	if (!*empty || was_empty)
		return;
	tool->empty_text(text, sizeof(text), now, args->pid);
	fprintf(stderr, "%s: %s\n", tool->name, text);
}

struct batch {
	const struct tool *tool;
	struct source *source;
	const struct args *args;
	const struct clock *clock;
	const struct format *format;
	struct output out;
	struct snapshot *before, *now;
	struct interval interval;
	struct diag why;
	bool empty;
};

/* Only one VM is looked at so closely as a picture needs it: the first one. */
static const struct snapshot_vm *vm_of_picture(const struct batch *b)
{
	if (!b->tool->sheets[b->args->sheet].draw)
		return NULL;
	for (size_t i = 0; b->now && i < b->now->lists[0].count; i++)
		if (vm_is_of(snapshot_item(b->now, 0, i), b->args->pid))
			return snapshot_item(b->now, 0, i);
	return NULL;
}

/* JSON has all views. */
static void want(const struct batch *b)
{
	source_want(b->source, b->args->format == &json_format ? ~0U : b->tool->sheets[b->args->sheet].measures,
		    vm_of_picture(b));
}

/* Waits for the end of an interval, and prints it. Returns 0 or -errno; sets @ended if there is no other one. */
static int next_interval(struct batch *b, bool *ended)
{
	/* A record has its own times: there is nothing to wait for. */
	uint64_t deadline_ns = b->source->replay ? 0 : b->interval.deadline_ns;
	struct snapshot *next;
	int err = 0;

	*ended = !b->clock->wait_until(deadline_ns);
	interval_next(&b->interval, b->clock->now_ns());
	want(b);
	next = source_next(b->source, &b->why);
	if (!next) {
		*ended = true;
		return 0;
	}
	snapshot_free(b->before);
	b->before = b->now;
	b->now = next;
	/* The last interval is shown even if it was cut short: nothing counted is lost. */
	if (b->format->interval)
		err = b->format->interval(b->out.text, b->tool, b->before, b->now, b->args);
	say_empty(b->tool, b->now, b->args, &b->empty);
	if (b->source->over) {
		fprintf(stderr, "%s: process %d has ended\n", b->tool->name, b->args->pid);
		*ended = true;
	}
	err = err ?: output_flush(&b->out);
	return !err && output_is_closed(&b->out) ? -EPIPE : err;
}

/* JSON has all views. */
static unsigned int shown_metrics(const struct batch *b)
{
	unsigned int all = (1U << b->tool->shown_hooks) - 1, metrics = b->tool->sheets[b->args->sheet].metrics;

	return metrics && b->format != &json_format ? metrics : all;
}

static int print_intervals(struct batch *b)
{
	unsigned long left = b->args->count;
	bool ended = false;
	int err = 0;

	hooks_print(b->now->hooks, b->now->hook_count, shown_metrics(b));
	if (b->format->begin)
		b->format->begin(b->out.text, b->tool, b->args);
	/* The heading tells the reader that counting has begun. */
	err = output_flush(&b->out);
	while (!err && !ended) {
		err = next_interval(b, &ended);
		ended |= b->args->count && !--left;
	}
	if (!err && b->format->end) {
		b->format->end(b->out.text, b->tool, b->now, b->args);
		err = output_flush(&b->out);
	}
	return err;
}

/* A reader that has read enough is not an error to report: end as every program in a pipe does. */
static int report(struct batch *b, int err, int status)
{
	if (err == -EPIPE && !status) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	if (err && err != -EPIPE)
		status = diag_no_output(EXIT_FAILED, "the interval", err);
	if (b->why.cause[0])
		status = diag_print(&b->why, EXIT_FAILED);
	return status;
}

int batch_run(const struct tool *tool, struct source *source, const struct args *args, const struct clock *clock)
{
	struct batch b = {
		.tool = tool,
		.source = source,
		.args = args,
		.clock = clock,
		.format = args->stdout_is_file ? &no_format : args->format,
	};
	int err = output_open(&b.out, "-"), status;

	want(&b);
	b.now = err ? NULL : source_next(source, &b.why);
	interval_start(&b.interval, clock->now_ns(), args->delay_s);
	source->interval = &b.interval;
	if (b.now)
		err = print_intervals(&b);
	if (b.now && !err)
		say_cost(tool, b.now);
	/* Whatever ended it, the files are to be complete. */
	status = source_close(source);
	output_close(&b.out);
	snapshot_free(b.before);
	snapshot_free(b.now);
	return report(&b, err, status);
}
