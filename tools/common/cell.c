// SPDX-License-Identifier: GPL-2.0
#include "cell.h"

#include <string.h>

#include "format.h"

int cell_compare(const struct cell *a, const struct cell *b)
{
	if (a->kind != CELL_NUMBER || b->kind != CELL_NUMBER)
		return (a->kind != CELL_NUMBER) - (b->kind != CELL_NUMBER);
	return (a->number < b->number) - (a->number > b->number);
}

void cell_text(const struct cell *cell, enum cell_unit unit, char *text, size_t size)
{
	if (cell->kind == CELL_NOT_MEASURED)
		snprintf(text, size, "n/a");
	else if (cell->kind == CELL_NO_SAMPLE)
		snprintf(text, size, "-");
	else if (unit == UNIT_NAME)
		snprintf(text, size, "%.0f", cell->number);
	else if (unit == UNIT_PERCENT)
		snprintf(text, size, "%.1f", cell->number);
	else if (unit == UNIT_BYTES)
		format_bytes(text, size, cell->number);
	else if (unit == UNIT_NS)
		format_ns(text, size, cell->number);
	else
		format_count(text, size, cell->number);
}

static bool is_whole(enum cell_unit unit, bool totals)
{
	return unit == UNIT_NAME || unit == UNIT_LEVEL || unit == UNIT_BYTES || (unit == UNIT_COUNT && totals);
}

void cell_print(FILE *out, const struct cell *cell, enum cell_unit unit, bool totals, int width)
{
	if (cell->kind == CELL_NOT_MEASURED)
		fprintf(out, " %*s", width, "n/a");
	else if (cell->kind == CELL_NO_SAMPLE)
		fprintf(out, " %*s", width, "-");
	else if (unit == UNIT_NS)
		fprintf(out, " %*.3f", width, cell->number / 1000);
	else
		fprintf(out, " %*.*f", width, is_whole(unit, totals) ? 0 : 1, cell->number);
}

void word_print(FILE *out, const char *text, int width)
{
	int left = width > 0 ? width : -width;

	fputc(' ', out);
	for (int blanks = width - (int)strlen(text); blanks > 0; blanks--)
		fputc(' ', out);
	for (const char *c = text; *c; c++, left--)
		fputc(*c == ' ' ? '_' : *c, out);
	for (; width < 0 && left > 0; left--)
		fputc(' ', out);
}
