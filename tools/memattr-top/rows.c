// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum cell_unit column_unit(enum column column)
{
	if (column == COLUMN_PID)
		return UNIT_NAME;
	return column == COLUMN_P50_NS || column == COLUMN_P99_NS ? UNIT_NS : UNIT_COUNT;
}

static const struct snapshot_vm no_events;

/* A VM that is not in @before, or had no event yet, had counted nothing: its counts start at 0. */
static const struct snapshot_vm *earlier(const struct snapshot *before, const struct snapshot_vm *vm)
{
	if (before && vm->birth)
		for (size_t i = 0; i < before->vm_count; i++)
			if (before->vms[i].birth == vm->birth)
				return &before->vms[i];
	return &no_events;
}

static void fill_counts(struct row *row, const struct snapshot_vm *from, double seconds)
{
	const struct top_counts *now = &row->vm->counts, *then = &from->counts;
	const struct {
		enum column column;
		uint64_t count;
	} cells[] = {
		{ COLUMN_EXITS, row->vm->exits - from->exits },
		{ COLUMN_TO_PRIVATE, now->to_private - then->to_private },
		{ COLUMN_TO_SHARED, now->to_shared - then->to_shared },
		{ COLUMN_EFFECTIVE_PAGES, now->effective_pages - then->effective_pages },
		{ COLUMN_REQUESTED_PAGES, now->requested_pages - then->requested_pages },
		{ COLUMN_ZAP_PAGES, now->zap_pages - then->zap_pages },
		{ COLUMN_DENIED, now->denied - then->denied },
		{ COLUMN_HELD, now->held - then->held },
	};

	for (size_t i = 0; i < sizeof(cells) / sizeof(*cells); i++)
		row->cells[cells[i].column] = (struct cell){
			.kind = CELL_NUMBER,
			.number = cells[i].count / seconds,
		};
}

static void fill_latency(struct row *row, const struct snapshot_vm *from)
{
	__u64 counts[H2_BUCKETS], total = 0;

	for (int i = 0; i < H2_BUCKETS; i++) {
		counts[i] = row->vm->counts.latency[i] - from->counts.latency[i];
		total += counts[i];
	}
	if (!total)
		return;
	row->cells[COLUMN_P50_NS] = (struct cell){
		.kind = CELL_NUMBER,
		.number = h2_percentile(counts, 50),
	};
	row->cells[COLUMN_P99_NS] = (struct cell){
		.kind = CELL_NUMBER,
		.number = h2_percentile(counts, 99),
	};
}

static void strike_unmeasured(struct row *row, unsigned int measured)
{
	static const unsigned int needs[COLUMN_COUNT] = {
		[COLUMN_EXITS] = MEASURE_EXITS,
		[COLUMN_TO_PRIVATE] = MEASURE_CONVERSIONS,
		[COLUMN_TO_SHARED] = MEASURE_CONVERSIONS,
		[COLUMN_EFFECTIVE_PAGES] = MEASURE_CONVERSIONS,
		[COLUMN_REQUESTED_PAGES] = MEASURE_REQUESTS,
		[COLUMN_ZAP_PAGES] = MEASURE_ZAPS,
		[COLUMN_DENIED] = MEASURE_REQUESTS,
		[COLUMN_HELD] = MEASURE_REQUESTS,
		[COLUMN_P50_NS] = MEASURE_REQUESTS,
		[COLUMN_P99_NS] = MEASURE_REQUESTS,
	};

	for (int column = 0; column < COLUMN_COUNT; column++)
		if (needs[column] & ~measured)
			row->cells[column].kind = CELL_NOT_MEASURED;
}

static const char *policy_text(const struct snapshot_vm *vm, unsigned int measured)
{
	if (!(measured & MEASURE_POLICY))
		return "n/a";
	if (!vm->policy_known)
		return "-";
	return vm->policy[0] ? vm->policy : "none";
}

static void fill_row(struct row *row, const struct snapshot *before, const struct snapshot *now,
		     bool totals)
{
	const struct snapshot_vm *from = earlier(totals ? NULL : before, row->vm);

	for (int column = 0; column < COLUMN_COUNT; column++)
		row->cells[column].kind = CELL_NO_SAMPLE;
	row->policy = policy_text(row->vm, now->measured);
	row->cells[COLUMN_PID] = (struct cell){ .kind = CELL_NUMBER, .number = row->vm->pid };
	if (totals)
		fill_counts(row, from, 1);
	else if (before && now->time_ns > before->time_ns)
		fill_counts(row, from, (now->time_ns - before->time_ns) / 1e9);
	if (totals || before)
		fill_latency(row, from);
	strike_unmeasured(row, now->measured);
}

static int compare_rows(const void *left, const void *right, void *arg)
{
	const struct row *a = left, *b = right;
	const struct rows_options *options = arg;
	int order;

	if (options->sort == COLUMN_NAME)
		order = strcmp(a->vm->name, b->vm->name);
	else if (options->sort == COLUMN_POLICY)
		order = strcmp(a->policy, b->policy);
	else
		order = cell_compare(&a->cells[options->sort], &b->cells[options->sort]);
	/* A process number is a name, not an amount. */
	if (options->sort == COLUMN_PID)
		order = -order;
	if (order)
		return options->reverse ? -order : order;
	/* Equal rows must not change places from one screen to the next. */
	if (a->vm->pid != b->vm->pid)
		return a->vm->pid < b->vm->pid ? -1 : 1;
	return (a->vm->fd > b->vm->fd) - (a->vm->fd < b->vm->fd);
}

int rows_build(struct rows *rows, const struct snapshot *before, const struct snapshot *now,
	       const struct rows_options *options)
{
	*rows = (struct rows){};
	if (!now->vm_count)
		return 0;
	rows->rows = calloc(now->vm_count, sizeof(*rows->rows));
	if (!rows->rows)
		return -ENOMEM;
	for (size_t i = 0; i < now->vm_count; i++) {
		const struct snapshot_vm *vm = &now->vms[i];

		if (options->pid && vm->pid != options->pid && vm->creator_tid != options->pid)
			continue;
		rows->rows[rows->count].vm = vm;
		fill_row(&rows->rows[rows->count++], before, now, options->totals);
	}
	qsort_r(rows->rows, rows->count, sizeof(*rows->rows), compare_rows, (void *)options);
	return 0;
}

void rows_free(struct rows *rows)
{
	free(rows->rows);
	*rows = (struct rows){};
}
