// SPDX-License-Identifier: GPL-2.0
#include "unit-rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

int column_of(const struct sheet *sheet, const char *key)
{
	for (int i = 0; i < sheet->column_count; i++)
		if (!strcmp(sheet->columns[i].key, key))
			return i;
	fail_msg("no column %s", key);
	return -1;
}

struct snapshot *snapshot_at(const struct list_type *lists, int list_count, uint64_t time_ns, unsigned int measured)
{
	struct snapshot *s = snapshot_new(lists, list_count);

	assert_non_null(s);
	s->time_ns = time_ns;
	s->measured = measured;
	return s;
}

struct rows build_rows(const struct sheet *sheet, const struct snapshot *before, const struct snapshot *now, bool totals,
		       struct rows_options options)
{
	static struct pair pair;
	struct rows rows;

	pair = pair_of(before, now, totals);
	assert_int_equal(rows_build(&rows, sheet, &pair, &options), 0);
	return rows;
}

static const struct cell *cell_of(const struct row *row, const char *key)
{
	return &row->cells[column_of(row->sheet, key)];
}

void assert_number(const struct row *row, const char *key, double number)
{
	assert_int_equal(cell_of(row, key)->kind, CELL_NUMBER);
	assert_true(cell_of(row, key)->number == number);
}

void assert_none(const struct row *row, const char *key)
{
	assert_int_equal(cell_of(row, key)->kind, CELL_NO_SAMPLE);
}

void assert_not_measured(const struct row *row, const char *key)
{
	assert_int_equal(cell_of(row, key)->kind, CELL_NOT_MEASURED);
}
