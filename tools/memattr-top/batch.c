// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "views.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Numbers have no units, so that scripts can use them as they are: pages, and us for latencies. */
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
	[COLUMN_POLICY] = { "POLICY", "POLICY", -15 },
	[COLUMN_HELD] = { "HELD/s", "HELD", 6 },
};

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
			word_print(row->vm->name, headings[i].width);
		else if (i == COLUMN_POLICY)
			word_print(row->policy, headings[i].width);
		else
			cell_print(&row->cells[i], column_unit(i), totals, headings[i].width);
	}
	printf("\n");
}

/* @empty says that the previous interval was empty, and that this was reported. */
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

	catch_stop(&stop);
	if (now)
		hooks_print(now->hooks, METRIC_VM_END);
	print_heading(options->rows.totals);
	/* The heading tells the reader that counting has begun. */
	fflush(stdout);

	while (!err && !stopped) {
		deadline_ns += options->delay_s * 1e9;
		stopped = !wait_until(deadline_ns, &stop);
		snapshot_free(before);
		before = now;
		now = collector_snapshot(collector);
		/* The last interval is shown even if it was cut short: nothing counted is lost. */
		err = now ? print_snapshot(before, now, &options->rows, &empty) : -ENOMEM;
		if (options->count && !--left)
			break;
	}
	if (now && !err) {
		fprintf(stderr, "%s: lost: %llu events; ", program_invocation_short_name,
			(unsigned long long)now->lost_events);
		cost_print(&now->cost);
	} else {
		diag_no_output(EXIT_FAILED, "the interval", err);
	}
	snapshot_free(before);
	snapshot_free(now);
	return err ? EXIT_FAILED : EXIT_OK;
}
