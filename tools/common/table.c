// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "table.h"

void table_place(struct table *table)
{
	bool full = false;
	int x = 0;

	for (int i = 0; i < table->count; i++) {
		struct table_column *column = &table->columns[i];

		column->x = -1;
		if (i >= table->fixed && i < table->fixed + table->skipped)
			continue;
		full |= x + (column->text ? 1 : column->width) > COLS;
		if (full)
			continue;
		column->x = x;
		x += column->width + 1;
	}
}

void table_heading(const struct table *table, int y)
{
	attron(A_REVERSE);
	put_cell(y, 0, COLS, false, "");
	for (int i = 0; i < table->count; i++)
		table_cell(table, y, i, i == table->sort ? A_BOLD | A_UNDERLINE : 0,
			   table->columns[i].title);
	attroff(A_REVERSE);
}

void table_cell(const struct table *table, int y, int column, chtype attributes, const char *text)
{
	const struct table_column *place = &table->columns[column];

	if (place->x < 0)
		return;
	attron(attributes);
	put_cell(y, place->x, place->width, !place->text, text);
	attroff(attributes);
}

int table_menu(const struct table *table, int choice)
{
	/* With fewer lines than columns the menu scrolls. */
	int fit = LINES - 2 < table->count ? LINES - 2 : table->count;
	int first = choice < fit ? 0 : choice - fit + 1;

	attron(A_REVERSE);
	put_cell(0, 0, TABLE_MENU_WIDTH, false, " Sort by (Enter, Esc)");
	attroff(A_REVERSE);
	for (int i = 0; i < fit; i++) {
		char text[32];

		snprintf(text, sizeof(text), " %s", table->columns[first + i].name);
		if (first + i == choice)
			attron(A_REVERSE);
		put_cell(1 + i, 0, TABLE_MENU_WIDTH, false, text);
		attroff(A_REVERSE);
	}
	return fit > 0 ? 1 + fit : 1;
}
