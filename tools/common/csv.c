// SPDX-License-Identifier: GPL-2.0
/*
 * Comma-separated values: the same figures as in JSON, a line for each VM or vCPU. An empty field means that there
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
	(void)args;
	fputs("time,interval_ns", out);
	for (int i = 0; i < tool->column_count; i++)
		fprintf(out, ",%s%s", tool->columns[i].key, unit_suffix(tool->columns[i].unit));
	fputs(",ended\n", out);
}

static void print_row(FILE *out, const struct tool *tool, const struct row *row)
{
	const struct pair *pair = row->pair;

	fprintf(out, "%lld,", (long long)pair->now->wall);
	if (pair->before)
		fprintf(out, "%" PRIu64, pair->now->time_ns - pair->before->time_ns);
	for (int i = 0; i < tool->column_count; i++) {
		const char *text = column_text(&tool->columns[i], row);

		fputc(',', out);
		if (text && !text_is_none(&tool->columns[i], text))
			quote(out, text);
		else if (!text && row->cells[i].kind == CELL_NUMBER)
			fprintf(out, tool->columns[i].unit == UNIT_PERCENT ? "%.6f" : "%.0f", row->cells[i].number);
	}
	fprintf(out, ",%d\n", row->vm->ended);
}

static int csv_interval(FILE *out, const struct tool *tool, const struct snapshot *before,
			const struct snapshot *now, const struct args *args)
{
	struct pair pair = counts_of(before, now, args->totals);
	struct rows_options options = { .vcpus = args->vcpus, .pid = args->pid, .sort = tool->sort };
	struct rows rows;
	int err = rows_build(&rows, tool, &pair, &options);

	for (size_t i = 0; i < rows.count; i++)
		print_row(out, tool, &rows.rows[i]);
	rows_free(&rows);
	return err;
}

const struct format csv_format = { csv_begin, csv_interval, NULL };
