// SPDX-License-Identifier: GPL-2.0
/*
 * What prefault-trace reads. Its records, whose lists have every type of field, are shown in all formats, and written
 * again.
 */
#define _GNU_SOURCE
#include "trace.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "figures.h"
#include "files.h"
#include "record.h"
#include "rows.h"
#include "tap.h"
#include "use.h"

static const struct tool tool = {
	.name = "prefault-trace",
	.sheets = sheets,
	.sheet_count = SHEET_COUNT,
	.lists = trace_lists,
	.list_count = LIST_COUNT,
	.measures = measures,
	.json_end = json_slowest,
	.batch_end = print_slowest,
	.write_folded = write_folded,
};

static FILE *nowhere;

void prepare_trace(void)
{
	nowhere = fopen("/dev/null", "we");
	if (!nowhere)
		err(1, "/dev/null");
}

static struct record_reader *open_record(const char *bytes, size_t len)
{
	struct diag why;
	struct record_reader *reader;

	fake_files(bytes, len);
	reader = record_open(&tool, "record", &why);
	fake_files(NULL, 0);
	return reader;
}

static void show(const struct snapshot *before, const struct snapshot *now)
{
	static const struct format *const formats[] = { &table_format, &json_format, &csv_format };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct trace_args args = { .args = { .delay_s = 1, .totals = i == 0, .sheet = i ? SHEET_VMS : SHEET_VCPUS }, .slowest = 3 };

		formats[i]->interval(nowhere, &tool, before, now, &args.args);
	}
}

/* A record, and what it becomes when it has been read and is written again. */
struct copy {
	char *bytes;
	size_t len;
	unsigned int intervals;
	bool damaged;
};

static void copy_record(struct record_reader *reader, struct copy *copy)
{
	struct snapshot *before = NULL, *now, *last;
	FILE *out = open_memstream(&copy->bytes, &copy->len);
	struct diag why;

	if (!out)
		err(1, "open_memstream");
	while ((now = record_read(reader, &why))) {
		if (!before)
			record_write_header(out, &tool, now);
		record_write(out, before, now);
		show(before, now);
		snapshot_free(before);
		before = now;
		copy->intervals++;
	}
	copy->damaged = why.cause[0];
	snapshot_free(before);
	last = record_read_last(reader, &why);
	if (last && copy->intervals) {
		record_write_last(out, last);
		write_folded(nowhere, last, 0);
	}
	snapshot_free(last);
	if (fclose(out))
		err(1, "open_memstream");
}

/* What has been read once can be read again. */
bool parse_record(const char *input, size_t len)
{
	struct record_reader *reader = open_record(input, len);
	struct copy copy = {}, second = {};
	bool good = true;

	if (!reader)
		return true;
	copy_record(reader, &copy);
	record_close(reader);
	reader = copy.intervals ? open_record(copy.bytes, copy.len) : NULL;
	if (reader) {
		copy_record(reader, &second);
		record_close(reader);
	}
	if (second.damaged || second.intervals != copy.intervals)
		good = complain("%u intervals are read again as %u from\n%s", copy.intervals, second.intervals,
				copy.bytes);
	free(second.bytes);
	free(copy.bytes);
	return good;
}

bool parse_use(const char *input, size_t len)
{
	struct use use = {};

	fake_files(input, len);
	use_read(&use, "1-3", 1);
	fake_files(NULL, 0);
	return true;
}
