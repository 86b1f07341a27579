// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "views.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "kinds.h"

/* Numbers have no units, so that scripts can use them as they are: pages, and us for latencies. */
static const struct {
	const char *name;
	int width;
} headings[COLUMN_COUNT] = {
	[COLUMN_PID] = { "PID", 7 },
	[COLUMN_NAME] = { "NAME", -16 },
	[COLUMN_VCPU] = { "VCPU", 4 },
	[COLUMN_FAULTS] = { "FAULTS", 10 },
	[COLUMN_PRIVATE] = { "PRIVATE", 10 },
	[COLUMN_SHARED] = { "SHARED", 10 },
	[COLUMN_4K] = { "AT_4K", 10 },
	[COLUMN_2M] = { "AT_2M", 8 },
	[COLUMN_1G] = { "AT_1G", 8 },
	[COLUMN_SPURIOUS] = { "SPURIOUS", 10 },
	[COLUMN_RETRIED] = { "RETRIED", 9 },
	[COLUMN_OTHER] = { "OTHER", 8 },
	[COLUMN_FAILED] = { "FAILED", 8 },
	[COLUMN_P50_NS] = { "P50_us", 9 },
	[COLUMN_P90_NS] = { "P90_us", 9 },
	[COLUMN_P99_NS] = { "P99_us", 9 },
	[COLUMN_MAX_NS] = { "MAX_us", 9 },
	[COLUMN_CALLS] = { "CALLS", 9 },
	[COLUMN_FAILED_CALLS] = { "C_FAILED", 10 },
	[COLUMN_CALL_P50_NS] = { "C_P50_us", 10 },
	[COLUMN_CALL_P99_NS] = { "C_P99_us", 10 },
	[COLUMN_DONE_PAGES] = { "DONE_PG", 10 },
	[COLUMN_NEW_PAGES] = { "NEW_PG", 10 },
	[COLUMN_OLD_PAGES] = { "OLD_PG", 10 },
	[COLUMN_PREFAULTED] = { "PREFAULTED", 12 },
	[COLUMN_WINDOWS] = { "WINDOWS", 9 },
	[COLUMN_PROPOSED_PAGES] = { "WANTED_PG", 11 },
	[COLUMN_GRANTED_PAGES] = { "GRANTED_PG", 12 },
	[COLUMN_TOUCHED] = { "TOUCHED_PG", 12 },
	[COLUMN_UNUSED] = { "UNUSED_PG", 11 },
	[COLUMN_UNTOUCHED] = { "UNTOUCHED_PG", 12 },
	[COLUMN_USED_PERCENT] = { "USED_%", 7 },
};

static void print_heading(bool totals)
{
	printf("%-8s", "TIME");
	for (int i = 0; i < COLUMN_COUNT; i++) {
		bool rate = !totals && column_unit(i) == UNIT_COUNT;
		char name[16];

		snprintf(name, sizeof(name), "%s%s", headings[i].name, rate ? "/s" : "");
		printf(" %*s", headings[i].width, name);
	}
	printf("\n");
}

static void print_row(const struct row *row, const char *clock, bool totals)
{
	printf("%s", clock);
	for (int i = 0; i < COLUMN_COUNT; i++) {
		if (i == COLUMN_NAME)
			word_print(row->vm->name, headings[i].width);
		else if (i == COLUMN_VCPU && row->vcpu == VCPU_ALL)
			word_print("all", headings[i].width);
		else
			cell_print(&row->cells[i], column_unit(i), totals, headings[i].width);
	}
	printf("\n");
}

static void print_cost(const struct snapshot *s)
{
	fprintf(stderr, "%s: lost: %" PRIu64 " events", program_invocation_short_name,
		s->lost_events);
	if (s->folded)
		fprintf(stderr, ", %" PRIu64 " stacks", s->lost_stacks);
	fprintf(stderr, "; ");
	cost_print(&s->cost);
	if (s->lost_events)
		fprintf(stderr, "%s: try: a larger --series, or -p for one process\n",
			program_invocation_short_name);
}

static void print_slow(const struct snapshot *s, const struct view_options *options)
{
	unsigned int left = options->slowest;

	for (size_t i = 0; i < s->slow_count && left; i++) {
		const struct snapshot_slow *slow = &s->slow[i];

		if (options->rows.pid && slow->pid != options->rows.pid)
			continue;
		printf("slow %.3f us  gpa 0x%" PRIx64 "  pid %d  vcpu %u  %s %s %s %s  %s\n",
		       slow->ns / 1000.0, slow->gpa, slow->pid, slow->vcpu,
		       kind_alias(slow->kind.alias), kind_level(slow->kind.level),
		       kind_access(slow->kind.access),
		       kind_result(slow->kind.event, slow->kind.result), slow->frames);
		left--;
	}
}

int write_folded(const struct view_options *options, const struct snapshot *s)
{
	FILE *out = options->folded;

	if (!out)
		return EXIT_OK;
	if (!s->folded)
		return diag_fail(EXIT_FAILED, "record again with --record and --folded",
				 "the record has no stacks");
	for (size_t i = 0; i < s->stack_count; i++)
		if (!options->rows.pid || s->stacks[i].pid == options->rows.pid)
			fprintf(out, "%s %" PRIu64 "\n", s->stacks[i].folded, s->stacks[i].ns);
	errno = EIO;
	if (ferror(out) || fflush(out))
		return diag_fail(EXIT_FAILED, "--folded with a file elsewhere",
				 "cannot write the stacks: %s", strerror(errno));
	return EXIT_OK;
}

/* @empty says that the previous interval was empty, and that this was reported. */
static int print_snapshot(const struct snapshot *before, const struct snapshot *now,
			  const struct view_options *options, bool *empty)
{
	struct rows rows;
	char clock[16];

	if (rows_build(&rows, before, now, &options->rows))
		return -ENOMEM;
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now->wall));
	if (options->json)
		json_snapshot(stdout, before, now, options);
	else
		for (size_t i = 0; i < rows.count; i++)
			print_row(&rows.rows[i], clock, options->rows.totals);
	if (!rows.count && !*empty) {
		char text[128];

		explain_empty(text, sizeof(text), options->rows.pid);
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
	}
	*empty = !rows.count;
	rows_free(&rows);
	errno = EIO;
	return ferror(stdout) || fflush(stdout) ? -errno : 0;
}

static int finish(const struct snapshot *last, const struct view_options *options)
{
	if (!options->json)
		print_slow(last, options);
	print_cost(last);
	return write_folded(options, last);
}

int batch_run(struct source *source, const struct view_options *options)
{
	struct diag why = {};
	struct snapshot *before = NULL, *now = source_next(source, &why), *next;
	uint64_t deadline_ns = monotonic_ns();
	unsigned long left = options->count;
	bool stopped = false, empty = false;
	sigset_t stop;
	int err = 0;

	catch_stop(&stop);
	if (now)
		hooks_print(now->hooks, METRIC_SHOWN);
	if (!options->json)
		print_heading(options->rows.totals);
	/* The heading tells the reader that counting has begun. */
	fflush(stdout);

	while (now && !err && !stopped) {
		deadline_ns += options->delay_s * 1e9;
		/* A record has its own times: there is nothing to wait for. */
		stopped = !wait_until(source->replay ? 0 : deadline_ns, &stop);
		next = source_next(source, &why);
		if (!next)
			break;
		snapshot_free(before);
		before = now;
		now = next;
		/* The last interval is shown even if it was cut short: nothing counted is lost. */
		err = print_snapshot(before, now, options, &empty);
		if (options->count && !--left)
			break;
	}
	if (now && !err)
		err = finish(now, options) ? -EIO : 0;
	else if (err)
		diag_no_output(EXIT_FAILED, "the interval", err);
	if (why.cause[0]) {
		diag_print(&why, EXIT_FAILED);
		err = -EIO;
	}
	snapshot_free(before);
	snapshot_free(now);
	return err ? EXIT_FAILED : EXIT_OK;
}
