// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "table.h"

#include "utf8.h"

/* No column is wider. */
#define TABLE_CELL_LEN 256

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

int table_column_at(const struct table *table, int x)
{
	for (int i = 0; i < table->count; i++) {
		const struct table_column *column = &table->columns[i];

		/* The blank after a column is its own, too. */
		if (column->x >= 0 && x >= column->x && x <= column->x + column->width)
			return i;
	}
	return -1;
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

/* Returns how many bytes at the start of @text take @cells cells, one for each character. */
static size_t bytes_of(const char *text, int cells)
{
	uint32_t code;
	size_t bytes = 0;

	for (; cells > 0 && text[bytes]; cells--)
		bytes += utf8_char(text + bytes, &code) ?: 1;
	return bytes;
}

void cut_middle(char *to, size_t size, const char *text, int width)
{
	/* The end tells names apart more often than the start does. */
	int head = (width - 1) / 3, length = 0;
	uint32_t code;

	for (const char *c = text; *c; c += utf8_char(c, &code) ?: 1)
		length++;
	if (length <= width || width < 3)
		snprintf(to, size, "%s", text);
	else
		snprintf(to, size, "%.*s~%s", (int)bytes_of(text, head), text,
			 text + bytes_of(text, length - (width - 1 - head)));
}

void table_cell(const struct table *table, int y, int column, chtype attributes, const char *text)
{
	const struct table_column *place = &table->columns[column];
	char cut[4 * TABLE_CELL_LEN];

	if (place->x < 0)
		return;
	if (place->cut_middle) {
		cut_middle(cut, sizeof(cut), text, place->width);
		text = cut;
	}
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
