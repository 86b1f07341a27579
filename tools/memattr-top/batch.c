// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "views.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Numbers without units, so that scripts can take them as they are: pages, and for latencies us. */
static const struct {
	const char *rate, *total;
	int width;
} headings[COLUMN_COUNT] = {
	[COLUMN_PID] = { "PID", "PID", 7 },
	[COLUMN_NAME] = { "NAME", "NAME", -16 },
	[COLUMN_EXITS] = { "EXITS/s", "EXITS", 10 },
	[COLUMN_TO_PRIVATE] = { "TO_PRIV/s", "TO_PRIV", 10 },
	[COLUMN_TO_SHARED] = { "TO_SHARED/s", "TO_SHARED", 11 },
	[COLUMN_EFFECTIVE_PAGES] = { "EFF_PG/s", "EFF_PG", 10 },
	[COLUMN_REQUESTED_PAGES] = { "REQ_PG/s", "REQ_PG", 10 },
	[COLUMN_ZAP_PAGES] = { "ZAP_PG/s", "ZAP_PG", 10 },
	[COLUMN_DENIED] = { "DENIED/s", "DENIED", 10 },
	[COLUMN_P50_NS] = { "P50_us", "P50_us", 9 },
	[COLUMN_P99_NS] = { "P99_us", "P99_us", 9 },
	[COLUMN_POLICY] = { "POLICY", "POLICY", 0 },
};

/* Columns are separated by blanks: a name must not have any. */
static void print_text(const char *text, int width)
{
	char word[VM_NAME_LEN];

	snprintf(word, sizeof(word), "%s", text);
	for (char *c = word; *c; c++)
		if (*c == ' ')
			*c = '_';
	printf(" %*s", width, word);
}

static void print_cell(const struct cell *cell, enum column column, bool totals, int width)
{
	bool latency = column == COLUMN_P50_NS || column == COLUMN_P99_NS;

	if (cell->kind == CELL_NOT_MEASURED)
		printf(" %*s", width, "n/a");
	else if (cell->kind == CELL_NO_SAMPLE)
		printf(" %*s", width, "-");
	else if (latency)
		printf(" %*.3f", width, cell->number / 1000);
	else
		printf(" %*.*f", width, totals || column == COLUMN_PID ? 0 : 1, cell->number);
}

static void print_heading(bool totals)
{
	printf("%-8s", "TIME");
	for (int i = 0; i < COLUMN_COUNT; i++)
		printf(" %*s", headings[i].width, totals ? headings[i].total : headings[i].rate);
	printf("\n");
}

static void print_row(const struct row *row, const char *clock, bool totals)
{
	printf("%s", clock);
	for (int i = 0; i < COLUMN_COUNT; i++) {
		if (i == COLUMN_NAME)
			print_text(row->vm->name, headings[i].width);
		else if (i == COLUMN_POLICY)
			print_text(row->policy, headings[i].width);
		else
			print_cell(&row->cells[i], i, totals, headings[i].width);
	}
	printf("\n");
}

/* To stderr, so that stdout is the table and nothing else. */
static void print_hooks(const struct snapshot *s)
{
	for (int metric = 0; metric < METRIC_VM_END; metric++) {
		const struct snapshot_hook *hook = &s->hooks[metric];

		fprintf(stderr, "%s: %s: %s%s%s%s\n", program_invocation_short_name,
			hook->metric, hook->hook, hook->note[0] ? " (" : "", hook->note,
			hook->note[0] ? ")" : "");
	}
}

static void print_cost(const struct snapshot *s)
{
	fprintf(stderr, "%s: lost: %llu events; ", program_invocation_short_name,
		(unsigned long long)s->lost_events);
	if (s->cost_known)
		fprintf(stderr, "own cost: %llu ns in %llu BPF runs\n",
			(unsigned long long)s->cost_ns, (unsigned long long)s->cost_runs);
	else
		fprintf(stderr, "own cost: n/a\n");
}

/* False: a signal says to stop. */
static bool wait_until(uint64_t deadline_ns, const sigset_t *stop)
{
	for (;;) {
		uint64_t now_ns = monotonic_ns();
		struct timespec left = {};

		if (now_ns < deadline_ns) {
			left.tv_sec = (deadline_ns - now_ns) / 1000000000;
			left.tv_nsec = (deadline_ns - now_ns) % 1000000000;
		}
		if (sigtimedwait(stop, NULL, &left) > 0)
			return false;
		if (errno == EAGAIN)
			return true;
	}
}

/* @empty: there was nothing in the interval before, and it was said. */
static int print_snapshot(const struct snapshot *before, const struct snapshot *now,
			  const struct rows_options *options, bool *empty)
{
	struct rows rows;
	char clock[16];

	if (rows_build(&rows, before, now, options))
		return -ENOMEM;
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now->wall));
	for (size_t i = 0; i < rows.count; i++)
		print_row(&rows.rows[i], clock, options->totals);
	if (!rows.count && !*empty) {
		char text[128];

		explain_empty(text, sizeof(text), now, options->pid);
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
	}
	*empty = !rows.count;
	rows_free(&rows);
	return fflush(stdout) ? -errno : 0;
}

int batch_run(struct collector *collector, const struct view_options *options)
{
	struct snapshot *before = NULL, *now = collector_snapshot(collector);
	uint64_t deadline_ns = monotonic_ns();
	unsigned long left = options->count;
	bool stopped = false, empty = false;
	sigset_t stop;
	int err = now ? 0 : -ENOMEM;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);

	if (now)
		print_hooks(now);
	print_heading(options->rows.totals);
	/* Whoever reads it knows that counting has begun. */
	fflush(stdout);

	while (!err && !stopped) {
		deadline_ns += options->delay_s * 1e9;
		stopped = !wait_until(deadline_ns, &stop);
		snapshot_free(before);
		before = now;
		now = collector_snapshot(collector);
		/* What the last, cut interval holds is shown as well: nothing counted is lost. */
		err = now ? print_snapshot(before, now, &options->rows, &empty) : -ENOMEM;
		if (options->count && !--left)
			break;
	}
	if (now && !err)
		print_cost(now);
	else
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, strerror(-err));
	snapshot_free(before);
	snapshot_free(now);
	return err ? EXIT_FAILED : EXIT_OK;
}
