// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool row_pid(const struct row *row, double *number)
{
	*number = row->vm->pid;
	return true;
}

const char *row_name(const struct row *row)
{
	return row->vm->name;
}

struct pair pair_of(const struct snapshot *before, const struct snapshot *now, bool totals)
{
	struct pair pair = { .now = now, .rates = !totals, .seconds = totals };

	if (!totals && before && now->time_ns > before->time_ns) {
		pair.before = before;
		pair.seconds = (now->time_ns - before->time_ns) / 1e9;
	}
	return pair;
}

struct pair counts_of(const struct snapshot *before, const struct snapshot *now, bool totals)
{
	struct pair pair = pair_of(before, now, totals);

	pair.rates = false;
	pair.seconds = 1;
	return pair;
}

/* What was not collected all the time has no figure yet. */
static unsigned int unwanted(const struct pair *pair)
{
	return pair->now->unwanted | (pair->before ? pair->before->unwanted : 0);
}

static void fill_cell(struct cell *cell, const struct column *column, const struct row *row)
{
	const char *at = (const char *)row->figures + column->at;
	double seconds = row->pair->seconds;

	*cell = (struct cell){ .kind = CELL_NO_SAMPLE };
	if (column->needs & ~row->pair->now->measured) {
		cell->kind = CELL_NOT_MEASURED;
	} else if (column->needs & unwanted(row->pair)) {
		return;
	} else if (column->from == FROM_COUNT && seconds > 0) {
		*cell = (struct cell){ CELL_NUMBER, *(const uint64_t *)at / seconds };
	} else if (column->from == FROM_LATENCY && seconds > 0) {
		const struct latency *latency = (const void *)at;

		if (latency->count)
			*cell = (struct cell){ CELL_NUMBER, latency_percentile(latency, column->percent) };
	} else if (column->from == FROM_CELL) {
		*cell = *(const struct cell *)at;
	} else if (column->from == FROM_ROW && column->number(row, &cell->number)) {
		cell->kind = CELL_NUMBER;
	}
}

int row_walk_start(struct row_walk *walk, const struct sheet *sheet, const struct pair *pair)
{
	*walk = (struct row_walk){
		.sheet = sheet,
		.pair = pair,
		.figures = malloc(sheet->figures_size),
		.cells = calloc(sheet->column_count, sizeof(struct cell)),
	};
	if (walk->figures && walk->cells)
		return 0;
	row_walk_end(walk);
	return -ENOMEM;
}

void row_walk_end(struct row_walk *walk)
{
	free(walk->figures);
	free(walk->cells);
	*walk = (struct row_walk){};
}

struct row row_make(const struct row_walk *walk, const struct snapshot_vm *vm, long part)
{
	const struct sheet *sheet = walk->sheet;
	struct row row = { sheet, walk->pair, vm, part, walk->figures, walk->cells };

	memset(walk->figures, 0, sheet->figures_size);
	sheet->figures(walk->figures, walk->pair, vm, part);
	for (int i = 0; i < sheet->column_count; i++)
		fill_cell(&row.cells[i], &sheet->columns[i], &row);
	return row;
}

static int compare_pids(const void *a, const void *b)
{
	const struct snapshot_vm *left = *(const struct snapshot_vm **)a, *right = *(const struct snapshot_vm **)b;

	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	if (left->fd != right->fd)
		return left->fd < right->fd ? -1 : 1;
	return snapshot_compare_vms(left, right);
}

bool vm_is_row_of(const struct snapshot_vm *a, const struct snapshot_vm *b)
{
	return a->pid == b->pid && a->creator_tid == b->creator_tid && a->fd == b->fd;
}

/* The thread that created the VM stands for its process. */
bool vm_is_of(const struct snapshot_vm *vm, pid_t pid)
{
	return !pid || vm->pid == pid || vm->creator_tid == pid;
}

const struct snapshot_vm **vms_of(const struct snapshot *s, pid_t pid, size_t *count)
{
	const struct snapshot_vm **vms = calloc(s->lists[0].count + 1, sizeof(*vms));

	*count = 0;
	for (size_t i = 0; vms && i < s->lists[0].count; i++) {
		const struct snapshot_vm *vm = snapshot_item(s, 0, i);

		if (vm_is_of(vm, pid))
			vms[(*count)++] = vm;
	}
	if (vms)
		qsort(vms, *count, sizeof(*vms), compare_pids);
	return vms;
}

static int compare_rows(const void *left, const void *right, void *arg)
{
	const struct row *a = left, *b = right;
	const struct rows_options *options = arg;
	const struct column *column = &a->sheet->columns[options->sort];
	int order;

	if (column->trend)
		order = 0;
	else if (column->unit == UNIT_TEXT)
		order = strcmp(column->text(a), column->text(b));
	else
		order = cell_compare(&a->cells[options->sort], &b->cells[options->sort]);
	/* The number of a process is a name, not an amount. */
	if (column->unit == UNIT_NAME)
		order = -order;
	if (order)
		return options->reverse ? -order : order;
	/* Equal rows must not change places from one screen to the next. */
	order = compare_pids(&a->vm, &b->vm);
	return order ?: (a->part > b->part) - (a->part < b->part);
}

/* Adds a row, with cells of its own. */
static int add_row(struct rows *rows, size_t *room, const struct row_walk *walk, const struct snapshot_vm *vm,
		   long part)
{
	size_t cells = walk->sheet->column_count;

	if (rows->count == *room) {
		size_t more = *room ? 2 * *room : 64;
		struct row *list = reallocarray(rows->rows, more, sizeof(*list));
		struct cell *all = list ? reallocarray(rows->cells, more * cells, sizeof(*all)) : NULL;

		rows->rows = list ?: rows->rows;
		rows->cells = all ?: rows->cells;
		if (!all)
			return -ENOMEM;
		*room = more;
	}
	rows->rows[rows->count] = row_make(walk, vm, part);
	memcpy(&rows->cells[rows->count++ * cells], walk->cells, cells * sizeof(*walk->cells));
	return 0;
}

static int add_rows(struct rows *rows, size_t *room, const struct row_walk *walk, const struct snapshot_vm *vm)
{
	const struct sheet *sheet = walk->sheet;
	long part = ALL_PARTS;
	int err = 0;

	if (!sheet->next_part)
		return add_row(rows, room, walk, vm, ALL_PARTS);
	while (!err && (part = sheet->next_part(walk->pair->now, vm, part)) != ALL_PARTS)
		err = add_row(rows, room, walk, vm, part);
	return err;
}

static bool is_wanted(const struct snapshot_vm *vm, const struct rows_options *options)
{
	if (options->only && !vm_is_row_of(options->only, vm))
		return false;
	return !options->filter || strcasestr(vm->name, options->filter);
}

int rows_build(struct rows *rows, const struct sheet *sheet, const struct pair *pair,
	       const struct rows_options *options)
{
	struct row_walk walk;
	size_t count, room = 0;
	const struct snapshot_vm **vms = vms_of(pair->now, options->pid, &count);
	int err = row_walk_start(&walk, sheet, pair);

	*rows = (struct rows){};
	if (!vms)
		err = -ENOMEM;
	for (size_t i = 0; !err && i < count; i++)
		if (is_wanted(vms[i], options))
			err = add_rows(rows, &room, &walk, vms[i]);
	row_walk_end(&walk);
	free(vms);
	if (err) {
		rows_free(rows);
		return err;
	}
	for (size_t i = 0; i < rows->count; i++)
		rows->rows[i].cells = &rows->cells[i * sheet->column_count];
	if (rows->count)
		qsort_r(rows->rows, rows->count, sizeof(*rows->rows), compare_rows, (void *)options);
	return 0;
}

void rows_free(struct rows *rows)
{
	free(rows->rows);
	free(rows->cells);
	*rows = (struct rows){};
}
