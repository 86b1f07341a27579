// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum cell_unit column_unit(enum column column)
{
	if (column <= COLUMN_VCPU)
		return UNIT_NAME;
	if ((column >= COLUMN_P50_NS && column <= COLUMN_MAX_NS) ||
	    column == COLUMN_CALL_P50_NS || column == COLUMN_CALL_P99_NS)
		return UNIT_NS;
	if (column == COLUMN_UNTOUCHED)
		return UNIT_LEVEL;
	return column == COLUMN_USED_PERCENT ? UNIT_PERCENT : UNIT_COUNT;
}

static void fill_number(struct row *row, enum column column, double number)
{
	row->cells[column] = (struct cell){ .kind = CELL_NUMBER, .number = number };
}

static void fill_counts(struct row *row, double seconds)
{
	const struct sums *sums = &row->sums;
	const struct {
		enum column column;
		uint64_t count;
	} cells[] = {
		{ COLUMN_FAULTS, sums->faults },
		{ COLUMN_PRIVATE, sums->private_faults },
		{ COLUMN_SHARED, sums->shared_faults },
		{ COLUMN_4K, sums->levels[1] },
		{ COLUMN_2M, sums->levels[2] },
		{ COLUMN_1G, sums->levels[3] },
		{ COLUMN_SPURIOUS, sums->spurious },
		{ COLUMN_RETRIED, sums->retried },
		{ COLUMN_OTHER, sums->other },
		{ COLUMN_FAILED, sums->failed },
		{ COLUMN_CALLS, sums->calls },
		{ COLUMN_FAILED_CALLS, sums->failed_calls },
		{ COLUMN_DONE_PAGES, sums->done_pages },
		{ COLUMN_NEW_PAGES, sums->new_pages },
		{ COLUMN_OLD_PAGES, sums->mapped_pages - sums->new_pages },
		{ COLUMN_PREFAULTED, sums->prefaulted },
		{ COLUMN_WINDOWS, sums->windows },
		{ COLUMN_PROPOSED_PAGES, sums->proposed_pages },
		{ COLUMN_GRANTED_PAGES, sums->granted_pages },
	};

	for (size_t i = 0; i < sizeof(cells) / sizeof(*cells); i++)
		fill_number(row, cells[i].column, cells[i].count / seconds);
}

static void fill_percentile(struct row *row, enum column column, const struct latency *latency,
			    double percent)
{
	if (latency->count)
		fill_number(row, column, h2_percentile(latency->buckets, percent));
}

static void fill_latency(struct row *row)
{
	fill_percentile(row, COLUMN_P50_NS, &row->sums.fault, 50);
	fill_percentile(row, COLUMN_P90_NS, &row->sums.fault, 90);
	fill_percentile(row, COLUMN_P99_NS, &row->sums.fault, 99);
	fill_percentile(row, COLUMN_MAX_NS, &row->sums.fault, 100);
	fill_percentile(row, COLUMN_CALL_P50_NS, &row->sums.call, 50);
	fill_percentile(row, COLUMN_CALL_P99_NS, &row->sums.call, 99);
}

/* The count may have gone down: KVM's statistics can be reset to 0. */
static uint64_t growth(uint64_t before, uint64_t now)
{
	return now > before ? now - before : 0;
}

/* Only for VMs: KVM does not tell for which vCPU a page was mapped. */
static void fill_use(struct row *row, const struct snapshot *before, bool totals)
{
	const struct snapshot_use *use = &row->vm->use;
	const struct snapshot_use none = {}, *then = &none;
	const struct snapshot_vm *earlier;
	double seconds = 1;

	if (row->vcpu != VCPU_ALL || !use->time_ns)
		return;
	fill_number(row, COLUMN_UNTOUCHED, use->untouched);
	if (use->prefaulted)
		fill_number(row, COLUMN_USED_PERCENT, 100.0 * snapshot_touched(use) / use->prefaulted);
	if (!totals) {
		/*
		 * It is not known when events before the first snapshot happened. Nor is KVM asked in
		 * each interval.
		 */
		earlier = before ? snapshot_vm(before, row->vm->birth) : NULL;
		if (!earlier || !earlier->use.time_ns || use->time_ns <= earlier->use.time_ns)
			return;
		then = &earlier->use;
		seconds = (use->time_ns - then->time_ns) / 1e9;
	}
	fill_number(row, COLUMN_TOUCHED,
		    growth(snapshot_touched(then), snapshot_touched(use)) / seconds);
	fill_number(row, COLUMN_UNUSED, growth(then->unused, use->unused) / seconds);
}

static unsigned int column_needs(enum column column)
{
	switch (column) {
	case COLUMN_PID:
	case COLUMN_NAME:
	case COLUMN_VCPU:
	case COLUMN_COUNT:
		return 0;
	case COLUMN_FAULTS:
		return MEASURE_FAULTS;
	case COLUMN_CALLS:
	case COLUMN_FAILED_CALLS:
	case COLUMN_CALL_P50_NS:
	case COLUMN_CALL_P99_NS:
	case COLUMN_DONE_PAGES:
		return MEASURE_CALLS;
	case COLUMN_NEW_PAGES:
	case COLUMN_OLD_PAGES:
		return MEASURE_PAGES;
	case COLUMN_PREFAULTED:
		return MEASURE_LATE;
	case COLUMN_WINDOWS:
	case COLUMN_PROPOSED_PAGES:
	case COLUMN_GRANTED_PAGES:
		return MEASURE_WINDOWS;
	case COLUMN_TOUCHED:
	case COLUMN_UNUSED:
	case COLUMN_UNTOUCHED:
	case COLUMN_USED_PERCENT:
		return MEASURE_USE;
	default:
		return MEASURE_FAULT_ENDS;
	}
}

static void fill_row(struct row *row, const struct snapshot *before, const struct snapshot *now,
		     bool totals)
{
	for (int column = 0; column < COLUMN_COUNT; column++)
		row->cells[column].kind = CELL_NO_SAMPLE;
	fill_number(row, COLUMN_PID, row->vm->pid);
	if (row->vcpu != VCPU_ALL && row->vcpu != NO_VCPU)
		fill_number(row, COLUMN_VCPU, row->vcpu);
	if (totals)
		fill_counts(row, 1);
	else if (before && now->time_ns > before->time_ns)
		fill_counts(row, (now->time_ns - before->time_ns) / 1e9);
	if (totals || before)
		fill_latency(row);
	fill_use(row, before, totals);
	for (int column = 0; column < COLUMN_COUNT; column++)
		if (column_needs(column) & ~now->measured)
			row->cells[column].kind = CELL_NOT_MEASURED;
}

static int compare_rows(const void *left, const void *right, void *arg)
{
	const struct row *a = left, *b = right;
	const struct rows_options *options = arg;
	int order;

	if (options->sort == COLUMN_NAME)
		order = strcmp(a->vm->name, b->vm->name);
	else
		order = cell_compare(&a->cells[options->sort], &b->cells[options->sort]);
	/* These are names, not amounts. */
	if (options->sort == COLUMN_PID || options->sort == COLUMN_VCPU)
		order = -order;
	if (order)
		return options->reverse ? -order : order;
	/* Equal rows must not change places from one screen to the next. */
	if (a->vm->pid != b->vm->pid)
		return a->vm->pid < b->vm->pid ? -1 : 1;
	if (a->vm->birth != b->vm->birth)
		return a->vm->birth < b->vm->birth ? -1 : 1;
	return (a->vcpu > b->vcpu) - (a->vcpu < b->vcpu);
}

static struct row *add_row(struct rows *rows, const struct snapshot_vm *vm, long vcpu)
{
	struct row *row = &rows->rows[rows->count++];

	row->vm = vm;
	row->vcpu = vcpu;
	return row;
}

/* Series are sorted by VM and vCPU: those that belong together are adjacent. */
static void add_vm(struct rows *rows, const struct snapshot *before, const struct snapshot *now,
		   const struct snapshot_vm *vm, const struct rows_options *options)
{
	struct row *row = options->vcpus ? NULL : add_row(rows, vm, VCPU_ALL);

	for (size_t i = 0; i < now->series_count; i++) {
		const struct snapshot_series *series = &now->series[i];
		struct snapshot_series difference;

		if (series->birth != vm->birth)
			continue;
		if (options->vcpus && (!row || row->vcpu != series->vcpu))
			row = add_row(rows, vm, series->vcpu);
		series_since(&difference, options->totals ? NULL : before, series);
		sums_add(&row->sums, &difference);
	}
}

int rows_build(struct rows *rows, const struct snapshot *before, const struct snapshot *now,
	       const struct rows_options *options)
{
	*rows = (struct rows){};
	if (!now->vm_count)
		return 0;
	rows->rows = calloc(now->vm_count + now->series_count, sizeof(*rows->rows));
	if (!rows->rows)
		return -ENOMEM;
	for (size_t i = 0; i < now->vm_count; i++)
		if (!options->pid || now->vms[i].pid == options->pid)
			add_vm(rows, before, now, &now->vms[i], options);
	for (size_t i = 0; i < rows->count; i++)
		fill_row(&rows->rows[i], before, now, options->totals);
	qsort_r(rows->rows, rows->count, sizeof(*rows->rows), compare_rows, (void *)options);
	return 0;
}

void rows_free(struct rows *rows)
{
	free(rows->rows);
	*rows = (struct rows){};
}
