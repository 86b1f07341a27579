// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "records.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "batch.h"
#include "files.h"
#include "metrics.h"
#include "record.h"
#include "tap.h"

static FILE *nowhere;

void prepare_records(void)
{
	nowhere = fopen("/dev/null", "we");
	if (!nowhere)
		err(1, "/dev/null");
}

struct sample read_record(const char *tool)
{
	char path[128], *bytes = malloc(INPUT_MAX);
	struct sample sample = { .bytes = bytes };
	FILE *file;

	snprintf(path, sizeof(path), "selftests/tools/screens/%s.record", tool);
	file = fopen(path, "re");
	if (!bytes || !file)
		err(1, "%s", path);
	sample.len = fread(bytes, 1, INPUT_MAX, file);
	fclose(file);
	if (!sample.len || bytes[sample.len - 1] != '\n')
		errx(1, "%s does not fit into an input", path);
	return sample;
}

static struct record_reader *open_record(const struct tool *tool, const char *bytes, size_t len)
{
	struct diag why;
	struct record_reader *reader;

	fake_files(bytes, len);
	reader = record_open(tool, "record", &why);
	fake_files(NULL, 0);
	return reader;
}

static void export(const struct tool *tool, const struct snapshot *now)
{
	static const struct metrics_format *const formats[] = { &metrics_text, &metrics_openmetrics };

	for (size_t i = 0; tool->metrics && i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct metrics metrics = *tool->metrics;

		metrics.parts = i == 0;
		metrics_write(nowhere, formats[i], &metrics, now);
	}
}

static void show(const struct tool *tool, struct args *args, const struct snapshot *before, const struct snapshot *now)
{
	static const struct format *const formats[] = { &table_format, &json_format, &csv_format };

	for (args->sheet = 0; args->sheet < tool->sheet_count; args->sheet++) {
		if (!tool->sheets[args->sheet].column_count)
			continue;
		for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
			args->totals = i == 0;
			formats[i]->interval(nowhere, tool, before, now, args);
		}
	}
}

/* A record, and what it becomes when it has been read and is written again. */
struct copy {
	char *bytes;
	size_t len;
	unsigned int intervals;
	bool damaged;
};

static void copy_record(const struct tool *tool, struct args *args, struct record_reader *reader, struct copy *copy)
{
	struct snapshot *before = NULL, *now, *last;
	FILE *out = open_memstream(&copy->bytes, &copy->len);
	struct diag why;

	if (!out)
		err(1, "open_memstream");
	while ((now = record_read(reader, &why))) {
		if (!before)
			record_write_header(out, tool, now);
		record_write(out, before, now);
		show(tool, args, before, now);
		export(tool, now);
		snapshot_free(before);
		before = now;
		copy->intervals++;
	}
	copy->damaged = why.cause[0];
	snapshot_free(before);
	last = record_read_last(reader, &why);
	if (last && copy->intervals) {
		record_write_last(out, last);
		if (tool->write_folded)
			tool->write_folded(nowhere, last, 0);
	}
	snapshot_free(last);
	if (fclose(out))
		err(1, "open_memstream");
}

bool parse_record_of(const struct tool *tool, struct args *args, const char *input, size_t len)
{
	struct record_reader *reader = open_record(tool, input, len);
	struct copy copy = {}, second = {};
	bool good = true;

	if (!reader)
		return true;
	copy_record(tool, args, reader, &copy);
	record_close(reader);
	reader = copy.intervals ? open_record(tool, copy.bytes, copy.len) : NULL;
	if (reader) {
		copy_record(tool, args, reader, &second);
		record_close(reader);
	}
	if (second.damaged || second.intervals != copy.intervals)
		good = complain("%u intervals are read again as %u from\n%s", copy.intervals, second.intervals,
				copy.bytes);
	free(second.bytes);
	free(copy.bytes);
	return good;
}
