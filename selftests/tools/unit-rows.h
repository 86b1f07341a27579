/* SPDX-License-Identifier: GPL-2.0 */
/* For unit tests of a tool's tables: snapshots that become rows, and what the cells of these are. */
#ifndef UNIT_ROWS_H
#define UNIT_ROWS_H

#include "rows.h"

int column_of(const struct sheet *sheet, const char *key);
struct snapshot *snapshot_at(const struct list_type *lists, int list_count, uint64_t time_ns, unsigned int measured);
/* The rows point to a pair that the next call overwrites. */
struct rows build_rows(const struct sheet *sheet, const struct snapshot *before, const struct snapshot *now, bool totals,
		       struct rows_options options);
void assert_number(const struct row *row, const char *key, double number);
void assert_none(const struct row *row, const char *key);
void assert_not_measured(const struct row *row, const char *key);

#endif
