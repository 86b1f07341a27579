// SPDX-License-Identifier: GPL-2.0
/* What the runs have shown: the figures of each contender, and which differ from those of the first. */
#include "compare.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>

#define MIB (1 << 20)
#define CELL_LEN 32

const struct figure figures[FIGURES] = {
	[FIGURE_EXITS] = { "exits", "EXITS", 1, 0 },
	[FIGURE_FAULTS] = { "faults", "FAULTS", 1, 0 },
	[FIGURE_CONVERSIONS] = { "conversions", "CONVERSIONS", 1, 0 },
	[FIGURE_REFUSED] = { "refused", "REFUSED", 1, 0 },
	[FIGURE_ZAPPED] = { "zapped_pages", "ZAPPED", 1, 0 },
	[FIGURE_AHEAD] = { "ahead_pages", "AHEAD", 1, 0 },
	[FIGURE_HUGE] = { "huge_mappings", "HUGE", 1, 0 },
	[FIGURE_MEMORY] = { "memory_bytes", "MEMORY/MiB", MIB, 1 },
	[FIGURE_TIME] = { "seconds", "TIME/s", 1, 3 },
	[FIGURE_INSTRUCTIONS] = { "instructions", "INSTRUCTIONS", 1, 0 },
};

static int compare_values(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void read_range(const struct comparison *c, size_t contender, enum figure_id figure, struct spread *spread)
{
	unsigned int runs = c->options->repeat;
	double values[runs];

	*spread = (struct spread){ .known = true };
	for (unsigned int run = 0; run < runs; run++) {
		const struct sample *sample = &c->contenders[contender].samples[run];

		values[run] = sample->value[figure];
		spread->known &= sample->known[figure];
	}
	qsort(values, runs, sizeof(*values), compare_values);
	spread->min = values[0];
	spread->max = values[runs - 1];
	spread->median = (values[runs / 2] + values[(runs - 1) / 2]) / 2;
}

void spread_read(const struct comparison *c, size_t contender, enum figure_id figure, struct spread *spread)
{
	struct spread first;

	read_range(c, 0, figure, &first);
	read_range(c, contender, figure, spread);
	spread->known &= first.known;
	spread->differs = spread->known ? (spread->min > first.max) - (spread->max < first.min) : 0;
}

char *figure_text(enum figure_id figure, double value, char *text, size_t size)
{
	snprintf(text, size, "%.*f", figures[figure].digits, value / figures[figure].unit);
	return text;
}

static void cell_text(const struct comparison *c, size_t contender, enum figure_id figure, char cell[CELL_LEN])
{
	static const char *const marks[] = { " -", "  ", " +" };
	char median[CELL_LEN / 3], half[CELL_LEN / 3];
	struct spread spread;

	spread_read(c, contender, figure, &spread);
	if (!spread.known) {
		snprintf(cell, CELL_LEN, "n/a  ");
		return;
	}
	figure_text(figure, spread.median, median, sizeof(median));
	figure_text(figure, (spread.max - spread.min) / 2, half, sizeof(half));
	snprintf(cell, CELL_LEN, "%s ±%s%s", median, half, marks[spread.differs + 1]);
}

/* How wide the text is: ± has two bytes. */
static int cell_width(const char *cell)
{
	return (int)strlen(cell) - (strstr(cell, "±") ? 1 : 0);
}

static void print_column_heads(const struct comparison *c, int name_width, int widths[FIGURES])
{
	printf("%-*s", name_width, "POLICY");
	for (int figure = 0; figure < FIGURES; figure++) {
		/* The marks have a column of their own. */
		widths[figure] = (int)strlen(figures[figure].title) + 2;
		for (size_t i = 0; i < c->count; i++) {
			char cell[CELL_LEN];
			int width;

			cell_text(c, i, figure, cell);
			width = cell_width(cell);
			widths[figure] = width > widths[figure] ? width : widths[figure];
		}
		printf(" %*s  ", widths[figure] - 2, figures[figure].title);
	}
	printf("\n");
}

void compare_print(const struct comparison *c)
{
	int name_width = strlen("POLICY"), widths[FIGURES];

	for (size_t i = 0; i < c->count; i++)
		if ((int)strlen(c->contenders[i].text) > name_width)
			name_width = strlen(c->contenders[i].text);
	print_column_heads(c, name_width, widths);
	for (size_t i = 0; i < c->count; i++) {
		printf("%-*s", name_width, c->contenders[i].text);
		for (int figure = 0; figure < FIGURES; figure++) {
			char cell[CELL_LEN];

			cell_text(c, i, figure, cell);
			printf(" %*s%s", widths[figure] - cell_width(cell), "", cell);
		}
		printf("\n");
	}
	printf("medians of %u runs; + and -: more and less than with '%s', beyond the spread of both\n",
	       c->options->repeat, c->contenders[0].text);
}

static void json_spread(struct json *json, const struct comparison *c, size_t contender, enum figure_id figure)
{
	static const char *const words[] = { "less", "same", "more" };
	struct spread spread;

	spread_read(c, contender, figure, &spread);
	if (!spread.known) {
		json_null(json, figures[figure].key);
		return;
	}
	json_object(json, figures[figure].key);
	json_real(json, "median", spread.median);
	json_real(json, "min", spread.min);
	json_real(json, "max", spread.max);
	json_string(json, "differs", words[spread.differs + 1]);
	json_array(json, "runs");
	for (unsigned int run = 0; run < c->options->repeat; run++)
		json_real(json, NULL, c->contenders[contender].samples[run].value[figure]);
	json_array_end(json);
	json_object_end(json);
}

void compare_print_json(const struct comparison *c)
{
	struct json json = { .out = stdout };

	json_array(&json, NULL);
	for (size_t i = 0; i < c->count; i++) {
		json_object(&json, NULL);
		json_string(&json, "policy", c->contenders[i].text);
		json_u64(&json, "runs", c->options->repeat);
		json_object(&json, "figures");
		for (int figure = 0; figure < FIGURES; figure++)
			json_spread(&json, c, i, figure);
		json_object_end(&json);
		json_object_end(&json);
	}
	json_array_end(&json);
	json_newline(&json);
}
