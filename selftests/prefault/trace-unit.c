// SPDX-License-Identifier: GPL-2.0
/* What of prefault-trace needs no kernel: sums, rows, and records. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kinds.h"
#include "record.h"
#include "rows.h"

#define ALL (MEASURE_FAULTS | MEASURE_FAULT_ENDS | MEASURE_CALLS | MEASURE_PAGES | MEASURE_LATE | \
	     MEASURE_WINDOWS | MEASURE_USE)
#define MAX_ERROR 0.07

static int compare_numbers(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* Of values spread over many orders of magnitude, as latencies are. */
static void test_percentiles(void **state)
{
	enum { COUNT = 100000 };
	static const double percents[] = { 1, 10, 50, 90, 99, 99.9, 100 };
	uint64_t *values = malloc(COUNT * sizeof(*values)), seed = 1;
	__u64 buckets[H2_BUCKETS] = {};

	(void)state;
	assert_non_null(values);
	for (int i = 0; i < COUNT; i++) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		values[i] = (seed >> 33) >> (seed >> 59);
		buckets[h2_bucket(values[i])]++;
	}
	qsort(values, COUNT, sizeof(*values), compare_numbers);
	for (size_t i = 0; i < sizeof(percents) / sizeof(*percents); i++) {
		double rank = percents[i] * COUNT / 100;
		uint64_t exact = values[(size_t)rank - 1];
		double read = h2_percentile(buckets, percents[i]);

		assert_true(read >= exact * (1 - MAX_ERROR) && read <= exact * (1 + MAX_ERROR));
	}
	free(values);
}

static struct snapshot_series series_of(uint32_t vcpu, struct trace_kind kind, uint64_t count,
					uint64_t ns)
{
	struct snapshot_series series = {
		.birth = 1, .vcpu = vcpu, .kind = kind, .count = count, .ns = count * ns, .max_ns = ns,
	};

	series.latency[h2_bucket(ns)] = count;
	return series;
}

static const struct trace_kind private_4k = { EVENT_FAULT, ALIAS_PRIVATE, 1, ACCESS_WRITE, RESULT_FIXED, 0, 0 };
static const struct trace_kind shared_2m = { EVENT_FAULT, ALIAS_SHARED, 2, ACCESS_READ, RESULT_FIXED, 0, 0 };
static const struct trace_kind failed = { EVENT_FAULT, ALIAS_PRIVATE, 0, ACCESS_READ, -EFAULT, 0, 0 };
static const struct trace_kind unknown = { EVENT_FAULT, ALIAS_UNKNOWN, 0, ACCESS_READ, RESULT_UNKNOWN, 0, 0 };
static const struct trace_kind call = { EVENT_CALL, ALIAS_UNKNOWN, 0, ACCESS_UNKNOWN, 0, 0, 0 };
static const struct trace_kind map = { EVENT_MAP, ALIAS_PRIVATE, 1, ACCESS_UNKNOWN, 0, 0, 0 };
static const struct trace_kind late = {
	.event = EVENT_FAULT, .alias = ALIAS_SHARED, .level = 1, .access = ACCESS_WRITE,
	.result = RESULT_FIXED, .prefaulted = true,
};
static const struct trace_kind window = {
	.event = EVENT_WINDOW, .alias = ALIAS_PRIVATE, .access = ACCESS_UNKNOWN, .reason = REASON_CONVERT,
};

static void assert_cell(const struct row *row, enum column column, double number)
{
	assert_int_equal(row->cells[column].kind, CELL_NUMBER);
	assert_true(row->cells[column].number == number);
}

static void sort_series(struct snapshot *s)
{
	qsort(s->series, s->series_count, sizeof(*s->series), snapshot_compare_series);
}

static void test_rows(void **state)
{
	struct snapshot_vm vm = { .birth = 1, .pid = 7, .fd = -1, .name = "vm" };
	struct snapshot_series then[] = { series_of(0, private_4k, 10, 100) };
	struct snapshot_series series[] = {
		series_of(0, private_4k, 30, 100), series_of(0, shared_2m, 4, 3),
		series_of(1, failed, 2, 5), series_of(1, call, 3, 7), series_of(1, map, 5, 0),
		series_of(1, unknown, 1, 0),
	};
	struct snapshot before = { .time_ns = 1, .measured = ALL, .vms = &vm, .vm_count = 1,
				   .series = then, .series_count = 1 };
	struct snapshot now = { .time_ns = 2000000001, .measured = ALL, .vms = &vm, .vm_count = 1,
				.series = series, .series_count = 6 };
	struct rows_options options = { .sort = COLUMN_FAULTS };
	struct rows rows;

	(void)state;
	series[3].pages = 600;
	series[3].done_pages = 500;
	series[4].pages = 480;
	series[4].done_pages = 320;
	sort_series(&now);

	assert_int_equal(rows_build(&rows, &before, &now, &options), 0);
	assert_int_equal(rows.count, 1);
	/* Per second, of two. */
	assert_cell(&rows.rows[0], COLUMN_FAULTS, (20 + 4 + 2 + 1) / 2.0);
	assert_cell(&rows.rows[0], COLUMN_PRIVATE, 11);
	assert_cell(&rows.rows[0], COLUMN_NEW_PAGES, 160);
	rows_free(&rows);

	options.totals = true;
	assert_int_equal(rows_build(&rows, &before, &now, &options), 0);
	assert_cell(&rows.rows[0], COLUMN_FAULTS, 37);
	assert_cell(&rows.rows[0], COLUMN_SHARED, 4);
	assert_cell(&rows.rows[0], COLUMN_4K, 30);
	assert_cell(&rows.rows[0], COLUMN_2M, 4);
	assert_cell(&rows.rows[0], COLUMN_FAILED, 2);
	assert_cell(&rows.rows[0], COLUMN_OTHER, 0);
	assert_cell(&rows.rows[0], COLUMN_CALLS, 3);
	assert_cell(&rows.rows[0], COLUMN_DONE_PAGES, 500);
	assert_cell(&rows.rows[0], COLUMN_OLD_PAGES, 160);
	assert_cell(&rows.rows[0], COLUMN_CALL_P99_NS, 7);
	rows_free(&rows);

	options.vcpus = true;
	assert_int_equal(rows_build(&rows, &before, &now, &options), 0);
	assert_int_equal(rows.count, 2);
	assert_cell(&rows.rows[0], COLUMN_VCPU, 0);
	assert_cell(&rows.rows[0], COLUMN_CALLS, 0);
	assert_int_equal(rows.rows[0].cells[COLUMN_CALL_P50_NS].kind, CELL_NO_SAMPLE);
	assert_cell(&rows.rows[1], COLUMN_CALLS, 3);
	rows_free(&rows);

	options.pid = 8;
	assert_int_equal(rows_build(&rows, &before, &now, &options), 0);
	assert_int_equal(rows.count, 0);
	rows_free(&rows);
}

/* Of what was mapped ahead: since the VM was created, or since the snapshot before. */
static void test_use(void **state)
{
	struct snapshot_vm earlier = { .birth = 1, .use = { 1, 100, 10, 90 } };
	struct snapshot_vm vm = { .birth = 1, .use = { 2000000001, 400, 20, 80 } };
	struct snapshot_series series[] = { series_of(0, late, 6, 100), series_of(NO_VCPU, window, 2, 0) };
	struct snapshot before = { .time_ns = 1, .measured = ALL, .vms = &earlier, .vm_count = 1 };
	struct snapshot now = { .time_ns = 2000000001, .measured = ALL, .vms = &vm, .vm_count = 1,
				.series = series, .series_count = 2 };
	struct rows_options options = {};
	struct rows rows;

	(void)state;
	series[1].pages = 900;
	series[1].done_pages = 512;
	sort_series(&now);
	assert_int_equal(rows_build(&rows, &before, &now, &options), 0);
	assert_cell(&rows.rows[0], COLUMN_TOUCHED, 150);
	assert_cell(&rows.rows[0], COLUMN_UNUSED, 5);
	assert_cell(&rows.rows[0], COLUMN_UNTOUCHED, 80);
	assert_cell(&rows.rows[0], COLUMN_USED_PERCENT, 75);
	assert_cell(&rows.rows[0], COLUMN_PREFAULTED, 3);
	rows_free(&rows);

	/* Not asked in this interval: no rate. */
	vm.use = earlier.use;
	assert_int_equal(rows_build(&rows, &before, &now, &options), 0);
	assert_int_equal(rows.rows[0].cells[COLUMN_TOUCHED].kind, CELL_NO_SAMPLE);
	assert_int_equal(rows.rows[0].cells[COLUMN_UNUSED].kind, CELL_NO_SAMPLE);
	assert_cell(&rows.rows[0], COLUMN_UNTOUCHED, 90);
	rows_free(&rows);

	/* Not seen before, and then its statistics were set to 0. */
	earlier.use.time_ns = 0;
	assert_int_equal(rows_build(&rows, &before, &now, &options), 0);
	assert_int_equal(rows.rows[0].cells[COLUMN_TOUCHED].kind, CELL_NO_SAMPLE);
	rows_free(&rows);
	earlier.use.time_ns = 1;
	vm.use = (struct snapshot_use){ 2000000001, 0, 0, 80 };
	assert_int_equal(rows_build(&rows, &before, &now, &options), 0);
	assert_cell(&rows.rows[0], COLUMN_TOUCHED, 0);
	assert_cell(&rows.rows[0], COLUMN_UNUSED, 0);
	assert_int_equal(rows.rows[0].cells[COLUMN_USED_PERCENT].kind, CELL_NO_SAMPLE);
	rows_free(&rows);

	/* Neither a conversion nor these belong to a vCPU. */
	options = (struct rows_options){ .totals = true, .vcpus = true };
	assert_int_equal(rows_build(&rows, &before, &now, &options), 0);
	assert_int_equal(rows.count, 2);
	assert_cell(&rows.rows[0], COLUMN_VCPU, 0);
	assert_int_equal(rows.rows[0].cells[COLUMN_UNTOUCHED].kind, CELL_NO_SAMPLE);
	assert_int_equal(rows.rows[1].cells[COLUMN_VCPU].kind, CELL_NO_SAMPLE);
	assert_cell(&rows.rows[1], COLUMN_WINDOWS, 2);
	assert_cell(&rows.rows[1], COLUMN_PROPOSED_PAGES, 900);
	assert_cell(&rows.rows[1], COLUMN_GRANTED_PAGES, 512);
	rows_free(&rows);
}

/* Never 0. */
static void test_not_measured(void **state)
{
	struct snapshot_vm vm = { .birth = 1, .pid = 7 };
	struct snapshot_series series = series_of(0, unknown, 3, 0);
	struct snapshot now = { .measured = MEASURE_FAULTS, .vms = &vm, .vm_count = 1,
				.series = &series, .series_count = 1 };
	struct rows_options options = { .totals = true };
	struct rows rows;

	(void)state;
	assert_int_equal(rows_build(&rows, NULL, &now, &options), 0);
	assert_cell(&rows.rows[0], COLUMN_FAULTS, 3);
	for (int column = COLUMN_PRIVATE; column < COLUMN_COUNT; column++)
		assert_int_equal(rows.rows[0].cells[column].kind, CELL_NOT_MEASURED);
	rows_free(&rows);
}

static struct snapshot *filled(void)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->time_ns = 12345678901;
	s->wall = 1795281974;
	s->measured = ALL;
	s->lost_events = 3;
	s->cost.known = true;
	s->cost.ns = UINT64_MAX;
	s->folded = true;
	for (int i = 0; i < METRIC_COUNT; i++)
		snprintf(s->hooks[i].metric, sizeof(s->hooks[i].metric), "metric %d", i);
	strcpy(s->hooks[1].note, "a note");
	s->vm_count = 1;
	s->vms = calloc(1, sizeof(*s->vms));
	s->vms[0] = (struct snapshot_vm){ .birth = 1, .pid = 7, .fd = -1, .ended = true,
					  .use = { 7, UINT64_MAX, 2, 3 }, .name = "two words" };
	s->series_count = 4;
	s->series = calloc(4, sizeof(*s->series));
	s->series[0] = series_of(0, private_4k, UINT64_MAX, 1);
	s->series[1] = series_of(4000000000, late, 5, 1);
	s->series[2] = series_of(4000000000, failed, 5, UINT64_MAX);
	s->series[3] = series_of(NO_VCPU, window, 5, 0);
	s->slow_count = 1;
	s->slow = calloc(1, sizeof(*s->slow));
	s->slow[0] = (struct snapshot_slow){ .ns = 9, .gpa = UINT64_MAX, .pid = 7, .kind = failed,
					     .name = "a b", .frames = strdup("") };
	s->stack_count = 1;
	s->stacks = calloc(1, sizeof(*s->stacks));
	s->stacks[0] = (struct snapshot_stack){ .count = 1, .ns = 2, .pid = 7,
						.folded = strdup("a;b;[c d]") };
	return s;
}

static char *written(const struct snapshot *s)
{
	char *text;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	assert_int_equal(record_write_header(file), 0);
	assert_int_equal(record_write(file, s), 0);
	fclose(file);
	return text;
}

static int read_back(const char *text, size_t len, struct snapshot **s)
{
	FILE *file = fmemopen((void *)text, len, "r");
	int err;

	*s = NULL;
	assert_non_null(file);
	err = record_read_header(file);
	if (!err)
		err = record_read(file, s);
	fclose(file);
	return err;
}

static void test_record(void **state)
{
	struct snapshot *s = filled(), *copy;
	char *text = written(s), *again;

	(void)state;
	assert_int_equal(read_back(text, strlen(text), &copy), 0);
	assert_non_null(copy);
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): not after the line above */
	assert_int_equal(copy->cost.ns, UINT64_MAX);
	assert_int_equal(copy->vms[0].fd, -1);
	assert_string_equal(copy->vms[0].name, "two words");
	assert_int_equal(copy->series[2].kind.result, -EFAULT);
	assert_int_equal(copy->series[2].latency[H2_BUCKETS - 1], 5);
	assert_true(copy->series[1].kind.prefaulted);
	assert_int_equal(copy->series[3].kind.reason, REASON_CONVERT);
	assert_true(copy->vms[0].use.time_ns == 7 && copy->vms[0].use.prefaulted == UINT64_MAX);
	again = written(copy);
	assert_string_equal(again, text);
	free(again);
	snapshot_free(copy);
	free(text);
	snapshot_free(s);
}

/* Whatever is cut off or spoiled: an answer, and nothing that is not there. */
static void test_damaged_record(void **state)
{
	struct snapshot *s = filled(), *copy;
	char *text = written(s);
	size_t len = strlen(text);

	(void)state;
	for (size_t cut = 1; cut < len; cut++) {
		int err = read_back(text, cut, &copy);

		assert_true(err || !copy);
	}
	for (size_t at = 0; at < len; at++) {
		static const char spoilers[] = "\n\t :-x9\0";
		char right = text[at];

		for (size_t i = 0; i < sizeof(spoilers); i++) {
			text[at] = spoilers[i];
			if (!read_back(text, len, &copy))
				snapshot_free(copy);
		}
		text[at] = right;
	}
	free(text);
	snapshot_free(s);
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(kind_result(EVENT_FAULT, RESULT_FIXED), "fixed");
	assert_string_equal(kind_result(EVENT_FAULT, -EAGAIN), "EAGAIN");
	assert_string_equal(kind_result(EVENT_FAULT, 99), "unknown");
	assert_string_equal(kind_result(EVENT_CALL, 0), "ok");
	assert_string_equal(kind_level(3), "1G");
	assert_string_equal(kind_level(200), "unknown");
	assert_string_equal(kind_alias(ALIAS_UNKNOWN), "unknown");
	assert_string_equal(kind_reason(REASON_IOCTL), "ioctl");
	assert_string_equal(kind_reason(9), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_use),
		cmocka_unit_test(test_not_measured),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_damaged_record),
		cmocka_unit_test(test_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("prefault-trace", tests, NULL, NULL);
}
