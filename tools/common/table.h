/* SPDX-License-Identifier: GPL-2.0 */
/* A table on the screen: the columns for which there is room, and the menu of columns to sort by. */
#ifndef MEMATTR_TABLE_H
#define MEMATTR_TABLE_H

#include "screen.h"

struct table_column {
	const char *name;	/* in the menu */
	const char *title;	/* above it */
	int width;
	bool text;		/* left-aligned, and may be cut; half a number would be another number */
	bool unsorted;		/* a picture: there is no order by it */
	bool cut_middle;	/* cut in the middle: names often differ at their end */
	int x;			/* negative: not on the screen */
};

struct table {
	struct table_column *columns;	/* in their order on the screen */
	int count;
	int fixed;	/* how many columns at the left stay when the others are scrolled */
	int skipped;	/* how many of the others are scrolled out of sight */
	int sort;	/* the column to sort by */
};

/* Places each column for which there is room. Call it after any change to the columns. */
void table_place(struct table *table);

/* Returns the column at this place of a line, or -1. */
int table_column_at(const struct table *table, int x);

void table_heading(const struct table *table, int y);
void table_cell(const struct table *table, int y, int column, chtype attributes, const char *text);

/* Draws the menu over the table. Returns the line below the menu. */
int table_menu(const struct table *table, int choice);

#define TABLE_MENU_WIDTH 22

/* Copies UTF-8 text that takes up to @width cells; of a longer one the middle is left out. */
void cut_middle(char *to, size_t size, const char *text, int width);

#endif
