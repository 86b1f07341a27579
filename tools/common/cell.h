/* SPDX-License-Identifier: GPL-2.0 */
/* A figure in a table, or the reason why there is none. */
#ifndef MEMATTR_CELL_H
#define MEMATTR_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct cell {
	enum {
		CELL_NUMBER,
		CELL_NOT_MEASURED,	/* this kernel cannot measure it: n/a */
		CELL_NO_SAMPLE,		/* nothing happened that could be measured: - */
	} kind;
	double number;
};

enum cell_unit {
	UNIT_TEXT,
	UNIT_NAME,	/* the number says who, not how much */
	UNIT_COUNT,	/* or a rate */
	UNIT_LEVEL,	/* a count at this moment, never a rate */
	UNIT_BYTES,	/* at this moment */
	UNIT_PERCENT,
	UNIT_NS,
};

/* Orders cells from the highest number down; cells without a number come last. */
int cell_compare(const struct cell *a, const struct cell *b);

/* Formats a cell for a screen, as short as in format.h. */
void cell_text(const struct cell *cell, enum cell_unit unit, char *text, size_t size);

/*
 * Both print after a blank, for scripts. Latencies are in us. Blanks in @text are replaced, because blanks separate
 * the columns.
 */
void cell_print(FILE *out, const struct cell *cell, enum cell_unit unit, bool totals, int width);
void word_print(FILE *out, const char *text, int width);

#endif
