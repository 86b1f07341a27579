/* SPDX-License-Identifier: GPL-2.0 */
/* Output without a screen, in a format: what is printed first, at the end of each interval, and last. */
#ifndef MEMATTR_BATCH_H
#define MEMATTR_BATCH_H

#include "clock.h"
#include "source.h"

struct format {
	void (*begin)(FILE *out, const struct tool *tool, const struct args *args);
	/* Returns 0 or -ENOMEM. */
	int (*interval)(FILE *out, const struct tool *tool, const struct snapshot *before,
			const struct snapshot *now, const struct args *args);
	void (*end)(FILE *out, const struct tool *tool, const struct snapshot *now, const struct args *args);
};

extern const struct format table_format, json_format, csv_format;

/* What a column's unit adds to its key, where the reader knows neither ns nor percent. */
const char *unit_suffix(enum cell_unit unit);

/* Returns a column's text, or NULL if it has a number. */
const char *column_text(const struct column *column, const struct row *row);
/* Returns whether that text stands for nothing, for formats that say so in their own way. */
bool text_is_none(const struct column *column, const char *text);

/* Returns the exit status, which is 0 after a signal that stop_catch() catches. */
int batch_run(const struct tool *tool, struct source *source, const struct args *args, const struct clock *clock);

/* Says on stderr what was lost and what counting has cost. */
void say_cost(const struct tool *tool, const struct snapshot *now);

#endif
