/* SPDX-License-Identifier: GPL-2.0 */
/* A figure of a table, or why there is none. */
#ifndef MEMATTR_CELL_H
#define MEMATTR_CELL_H

#include <stdbool.h>
#include <stddef.h>

struct cell {
	enum {
		CELL_NUMBER,
		CELL_NOT_MEASURED,	/* this kernel does not tell: n/a */
		CELL_NO_SAMPLE,		/* nothing happened that could be measured: - */
	} kind;
	double number;
};

enum cell_unit {
	UNIT_NAME,	/* the number says who, not how much */
	UNIT_COUNT,	/* or a rate */
	UNIT_LEVEL,	/* a count of this moment */
	UNIT_PERCENT,
	UNIT_NS,
};

/* From the highest number; what has none comes last. */
int cell_compare(const struct cell *a, const struct cell *b);

/* For a screen, as short as those of format.h. */
void cell_text(const struct cell *cell, enum cell_unit unit, char *text, size_t size);

/*
 * For scripts: both to stdout, after a blank. Latencies are in us. Columns are separated by blanks: a word
 * has none, whatever is in @text.
 */
void cell_print(const struct cell *cell, enum cell_unit unit, bool totals, int width);
void word_print(const char *text, int width);

#endif
