/* SPDX-License-Identifier: GPL-2.0 */
/* A table on the screen: which of its columns there is room for, and the menu to sort it by one of them. */
#ifndef MEMATTR_TABLE_H
#define MEMATTR_TABLE_H

#include "screen.h"

struct table_column {
	const char *name;	/* in the menu */
	const char *title;	/* above it */
	int width;
	bool text;		/* from the left, and may be cut: half a number is another number */
	int x;			/* below 0: not on the screen */
};

struct table {
	struct table_column *columns;	/* in their order on the screen */
	int count;
	int fixed;	/* the first so many stay when the others are scrolled */
	int skipped;	/* so many after those are out of sight */
	int sort;	/* it is sorted by this one */
};

/* Finds a place for each column that there is room for: to be called when anything of them has changed. */
void table_place(struct table *table);

void table_heading(const struct table *table, int y);
void table_cell(const struct table *table, int y, int column, chtype attributes, const char *text);

/* Over the table. Returns the line below it. */
int table_menu(const struct table *table, int choice);

#define TABLE_MENU_WIDTH 22

#endif
