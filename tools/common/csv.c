// SPDX-License-Identifier: GPL-2.0
/*
 * Comma-separated values: the same figures as in JSON, a line for each row of the view. An empty field means that there
 * is no figure.
 */
#include "batch.h"

#include <inttypes.h>
#include <string.h>

#include "rows.h"

static void quote(FILE *out, const char *text)
{
	fputc('"', out);
	for (const char *c = text; *c; c++) {
		if (*c == '"')
			fputc('"', out);
		fputc(*c, out);
	}
	fputc('"', out);
}

static void csv_begin(FILE *out, const struct tool *tool, const struct args *args)
{
	const struct sheet *sheet = &tool->sheets[args->sheet];

	fputs("time,interval_ns", out);
	for (int i = 0; i < sheet->column_count; i++)
		if (!sheet->columns[i].trend)
			fprintf(out, ",%s%s", sheet->columns[i].key, unit_suffix(sheet->columns[i].unit));
	fputs(",ended\n", out);
}

static void print_row(FILE *out, const struct sheet *sheet, const struct row *row)
{
	const struct pair *pair = row->pair;

	fprintf(out, "%lld,", (long long)pair->now->wall);
	if (pair->before)
		fprintf(out, "%" PRIu64, pair->now->time_ns - pair->before->time_ns);
	for (int i = 0; i < sheet->column_count; i++) {
		const char *text = column_text(&sheet->columns[i], row);

		if (sheet->columns[i].trend)
			continue;
		fputc(',', out);
		if (text && !text_is_none(&sheet->columns[i], text))
			quote(out, text);
		else if (!text && row->cells[i].kind == CELL_NUMBER)
			fprintf(out, sheet->columns[i].unit == UNIT_PERCENT ? "%.6f" : "%.0f", row->cells[i].number);
	}
	fprintf(out, ",%d\n", row->vm->ended);
}

static int csv_interval(FILE *out, const struct tool *tool, const struct snapshot *before,
			const struct snapshot *now, const struct args *args)
{
	struct pair pair = counts_of(before, now, args->totals);
	const struct sheet *sheet = &tool->sheets[args->sheet];
	struct rows_options options = { .pid = args->pid, .sort = sheet->sort };
	struct rows rows;
	int err = rows_build(&rows, sheet, &pair, &options);

	for (size_t i = 0; i < rows.count; i++)
		print_row(out, sheet, &rows.rows[i]);
	rows_free(&rows);
	return err;
}

const struct format csv_format = { csv_begin, csv_interval, NULL };
