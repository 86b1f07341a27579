// SPDX-License-Identifier: GPL-2.0
/* The map of a VM's memory as a table of its runs, for output that is not a screen. */
#include "memmap_view.h"

#include "figures.h"
#include "rows.h"

#define PAGE_SHIFT	12

static const struct map_run *run_of(const struct row *row)
{
	return snapshot_item(row->pair->now, LIST_RUNS, row->part);
}

static bool gpa_start(const struct row *row, double *number)
{
	*number = run_of(row)->gfn_start << PAGE_SHIFT;
	return true;
}

static bool gpa_end(const struct row *row, double *number)
{
	*number = run_of(row)->gfn_end << PAGE_SHIFT;
	return true;
}

static bool memslot(const struct row *row, double *number)
{
	*number = run_of(row)->slot_id;
	return true;
}

static const char *kind_text(const struct row *row)
{
	static const char *const kinds[] = { [MAP_SHARED] = "shared", [MAP_PRIVATE] = "private", [MAP_NOT_KNOWN] = "n/a" };

	return row->pair->now->measured & MEASURE_MAP ? kinds[run_of(row)->kind] : "n/a";
}

/* A run has no figures: it says what is where. */
void fill_map_run(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long part)
{
	(void)figures;
	(void)pair;
	(void)vm;
	(void)part;
}

const struct column map_columns[] = {
	COLUMN_PID,
	COLUMN_NAME(16),
	{ "gpa_start", "START", UNIT_NAME, .from = FROM_ROW, .number = gpa_start, .needs = MEASURE_MAP, .width = 16 },
	{ "gpa_end", "END", UNIT_NAME, .from = FROM_ROW, .number = gpa_end, .needs = MEASURE_MAP, .width = 16 },
	{ "kind", "KIND", UNIT_TEXT, .from = FROM_TEXT, .text = kind_text, .width = 7 },
	{ "memslot", "SLOT", UNIT_NAME, .from = FROM_ROW, .number = memslot, .needs = MEASURE_MAP, .width = 7 },
};
