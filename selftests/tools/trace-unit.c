// SPDX-License-Identifier: GPL-2.0
/* The parts of prefault-trace that need no kernel: figures, rows, and records. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "figures.h"
#include "kinds.h"
#include "record.h"
#include "unit-rows.h"

#define ALL (MEASURE_FAULTS | MEASURE_FAULT_ENDS | MEASURE_CALLS | MEASURE_PAGES | MEASURE_LATE | \
	     MEASURE_WINDOWS | MEASURE_USE | MEASURE_READ_ONLY)
#define MAX_ERROR 0.07

static int compare_numbers(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* Values spread over many orders of magnitude, as latencies are. */
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

static const struct tool tool = { TOOL_TABLES("prefault-trace", trace_lists) };

static int column(const char *key)
{
	return column_of(&sheets[SHEET_VMS], key);
}

static struct snapshot *snapshot_after(uint64_t ns)
{
	return snapshot_at(trace_lists, LIST_COUNT, ns, ALL);
}

static struct trace_vm *add_vm(struct snapshot *s, uint64_t birth, struct vm_use use)
{
	struct trace_vm *vm = snapshot_add(s, LIST_VMS);

	assert_non_null(vm);
	vm->vm = (struct snapshot_vm){ .birth = birth, .pid = 7, .fd = -1, .name = "vm" };
	vm->use = use;
	return vm;
}

static struct series *add_series(struct snapshot *s, uint32_t vcpu, struct trace_kind kind, uint64_t count, uint64_t ns)
{
	struct series *series = snapshot_add(s, LIST_SERIES);
	__u64 buckets[H2_BUCKETS] = {};

	assert_non_null(series);
	*series = (struct series){
		.birth = 1, .vcpu = vcpu, .kind = kind, .count = count, .ns = count * ns, .max_ns = ns,
	};
	buckets[h2_bucket(ns)] = count;
	assert_int_equal(histogram_set(&series->latency, buckets), 0);
	return series;
}

static struct rows build(const struct snapshot *before, const struct snapshot *now, bool totals, bool vcpus)
{
	return build_rows(&sheets[vcpus ? SHEET_VCPUS : SHEET_VMS], before, now, totals,
			  (struct rows_options){ .sort = column("faults") });
}

static void add_all_kinds(struct snapshot *s)
{
	struct series *series;

	add_vm(s, 1, (struct vm_use){});
	add_series(s, 0, private_4k, 30, 100);
	add_series(s, 0, shared_2m, 4, 3);
	add_series(s, 1, failed, 2, 5);
	series = add_series(s, 1, call, 3, 7);
	series->pages = 600;
	series->done_pages = 500;
	series = add_series(s, 1, map, 5, 0);
	series->pages = 480;
	series->done_pages = 320;
	add_series(s, 1, unknown, 1, 0);
	snapshot_sort(s);
}

static void test_rows(void **state)
{
	struct snapshot *before = snapshot_after(1), *now = snapshot_after(2000000001);
	struct rows rows;

	(void)state;
	add_vm(before, 1, (struct vm_use){});
	add_series(before, 0, private_4k, 10, 100);
	add_all_kinds(now);

	rows = build(before, now, false, false);
	assert_int_equal(rows.count, 1);
	/* Per second, of two. */
	assert_number(&rows.rows[0], "faults", (20 + 4 + 2 + 1) / 2.0);
	assert_number(&rows.rows[0], "private", 11);
	assert_number(&rows.rows[0], "new_pg", 160);
	rows_free(&rows);

	rows = build(before, now, true, false);
	assert_number(&rows.rows[0], "faults", 37);
	assert_number(&rows.rows[0], "shared", 4);
	assert_number(&rows.rows[0], "at_4k", 30);
	assert_number(&rows.rows[0], "at_2m", 4);
	assert_number(&rows.rows[0], "failed", 2);
	assert_number(&rows.rows[0], "other", 0);
	assert_number(&rows.rows[0], "calls", 3);
	assert_number(&rows.rows[0], "done_pg", 500);
	assert_number(&rows.rows[0], "old_pg", 160);
	assert_number(&rows.rows[0], "c_p99", 7);
	rows_free(&rows);

	rows = build(before, now, true, true);
	assert_int_equal(rows.count, 2);
	assert_number(&rows.rows[0], "vcpu", 0);
	assert_number(&rows.rows[0], "calls", 0);
	assert_none(&rows.rows[0], "c_p50");
	assert_number(&rows.rows[1], "calls", 3);
	rows_free(&rows);
	snapshot_free(before);
	snapshot_free(now);
}

static struct rows build_use(struct vm_use then, struct vm_use use)
{
	struct snapshot *before = snapshot_after(1), *now = snapshot_after(2000000001);
	struct rows rows;

	add_vm(before, 1, then);
	add_vm(now, 1, use);
	rows = build(before, now, false, false);
	snapshot_free(before);
	snapshot_free(now);
	return rows;
}

/* Counts of pages that were mapped ahead: since the VM was created, or since the snapshot before. */
static void test_use(void **state)
{
	const struct vm_use then = { 1, 100, 10, 90 }, now = { 2000000001, 400, 20, 80 };
	struct rows rows = build_use(then, now);

	(void)state;
	assert_number(&rows.rows[0], "touched_pg", 150);
	assert_number(&rows.rows[0], "unused_pg", 5);
	assert_number(&rows.rows[0], "untouched_pg", 80);
	assert_number(&rows.rows[0], "used", 75);
	rows_free(&rows);

	/* Not asked in this interval: no rate. */
	rows = build_use(then, then);
	assert_none(&rows.rows[0], "touched_pg");
	assert_none(&rows.rows[0], "unused_pg");
	assert_number(&rows.rows[0], "untouched_pg", 90);
	rows_free(&rows);

	/* Not seen before, and then its statistics were set to 0. */
	rows = build_use((struct vm_use){}, now);
	assert_none(&rows.rows[0], "touched_pg");
	rows_free(&rows);
	rows = build_use(then, (struct vm_use){ 2000000001, 0, 0, 80 });
	assert_number(&rows.rows[0], "touched_pg", 0);
	assert_number(&rows.rows[0], "unused_pg", 0);
	assert_none(&rows.rows[0], "used");
	rows_free(&rows);
}

/* Neither a conversion nor the use of pages belongs to a vCPU. */
static void test_no_vcpu(void **state)
{
	struct snapshot *now = snapshot_after(2000000001);
	struct series *series;
	struct rows rows;

	(void)state;
	add_vm(now, 1, (struct vm_use){ 2000000001, 400, 20, 80 });
	series = add_series(now, NO_VCPU, window, 2, 0);
	series->pages = 900;
	series->done_pages = 512;
	add_series(now, 0, late, 6, 100);
	snapshot_sort(now);
	rows = build(NULL, now, true, true);
	assert_int_equal(rows.count, 2);
	assert_number(&rows.rows[0], "vcpu", 0);
	assert_number(&rows.rows[0], "prefaulted", 6);
	assert_none(&rows.rows[0], "untouched_pg");
	assert_none(&rows.rows[1], "vcpu");
	assert_number(&rows.rows[1], "windows", 2);
	assert_number(&rows.rows[1], "wanted_pg", 900);
	assert_number(&rows.rows[1], "granted_pg", 512);
	rows_free(&rows);
	snapshot_free(now);
}

/* Never 0. */
static void test_not_measured(void **state)
{
	struct snapshot *now = snapshot_after(1);
	struct rows rows;

	(void)state;
	now->measured = MEASURE_FAULTS;
	add_vm(now, 1, (struct vm_use){});
	add_series(now, 0, unknown, 3, 0);
	rows = build(NULL, now, true, false);
	assert_number(&rows.rows[0], "faults", 3);
	for (int i = column("faults") + 1; i < sheets[SHEET_VMS].column_count; i++)
		assert_not_measured(&rows.rows[0], sheets[SHEET_VMS].columns[i].key);
	rows_free(&rows);
	/* The tracepoint alone does not tell which pages are read-only. */
	now->measured = ALL & ~MEASURE_READ_ONLY;
	rows = build(NULL, now, true, false);
	assert_number(&rows.rows[0], "new_pg", 0);
	assert_not_measured(&rows.rows[0], "ro_pg");
	rows_free(&rows);
	snapshot_free(now);
}

static struct snapshot *filled(void)
{
	struct snapshot *s = snapshot_after(12345678901);
	struct slow *slow;
	struct stack *stack;

	s->wall = 1795281974;
	s->lost_events = 3;
	s->cost.known = true;
	s->cost.ns = UINT64_MAX;
	s->has_stacks = true;
	s->hook_count = METRIC_COUNT;
	for (int i = 0; i < METRIC_COUNT; i++)
		snprintf(s->hooks[i].metric, sizeof(s->hooks[i].metric), "metric %d", i);
	strcpy(s->hooks[1].note, "a note");
	strcpy(add_vm(s, 1, (struct vm_use){ 7, UINT64_MAX, 2, 3 })->vm.name, "t\two \n 50%%");
	add_series(s, 0, private_4k, UINT64_MAX, 1);
	add_series(s, 4000000000, late, 5, 1);
	add_series(s, 4000000000, failed, 5, UINT64_MAX);
	add_series(s, NO_VCPU, window, 5, 0);
	slow = snapshot_add(s, LIST_SLOW);
	*slow = (struct slow){ .ns = 9, .gpa = UINT64_MAX, .pid = 7, .kind = failed, .name = "a b",
			       .frames = strdup("") };
	stack = snapshot_add(s, LIST_STACKS);
	*stack = (struct stack){ .count = 1, .ns = 2, .pid = 7, .folded = strdup("a\tb;[c d]") };
	snapshot_sort(s);
	return s;
}

/* A record of these snapshots. */
static char *written(const struct snapshot *first, const struct snapshot *second)
{
	char *text;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	record_write_header(file, &tool, first);
	record_write(file, NULL, first);
	if (second)
		record_write(file, first, second);
	record_write_last(file, first);
	fclose(file);
	return text;
}

static struct record_reader *open_text(const char *text, size_t len)
{
	const char *path = "/tmp/trace-unit.record";
	FILE *file = fopen(path, "w");
	struct record_reader *reader;
	struct diag why = {};

	assert_non_null(file);
	fwrite(text, 1, len, file);
	fclose(file);
	reader = record_open(&tool, path, &why);
	remove(path);
	assert_true(reader || why.cause[0]);
	return reader;
}

/* Reads all of it, with nothing that is not there. Returns how many snapshots it has, or -1 if it is damaged. */
static int read_all(const char *text, size_t len, struct snapshot **first, struct snapshot **last)
{
	struct record_reader *reader = open_text(text, len);
	struct diag why = {};
	struct snapshot *s;
	int count = 0;

	*first = *last = NULL;
	if (!reader)
		return -1;
	for (; (s = record_read(reader, &why)); count++) {
		if (!*first)
			*first = snapshot_hold(s);
		snapshot_free(*last);
		*last = s;
	}
	record_close(reader);
	return why.cause[0] ? -1 : count;
}

static void test_record(void **state)
{
	struct snapshot *s = filled(), *copy, *last, *end;
	char *text = written(s, NULL), *again;
	const struct series *series;
	const struct trace_vm *vm;
	struct record_reader *reader;
	struct diag why = {};

	(void)state;
	assert_int_equal(read_all(text, strlen(text), &copy, &last), 1);
	assert_int_equal(copy->cost.ns, UINT64_MAX);
	assert_string_equal(copy->hooks[1].note, "a note");
	vm = snapshot_item(copy, LIST_VMS, 0);
	assert_int_equal(vm->vm.fd, -1);
	assert_true(vm->use.time_ns == 7 && vm->use.mapped == UINT64_MAX);
	/* Nothing that reaches a terminal is a command. */
	assert_string_equal(vm->vm.name, "t?wo ? 50%%");
	series = snapshot_item(copy, LIST_SERIES, 1);
	assert_true(series->kind.prefaulted || series->kind.result == -EFAULT);
	reader = open_text(text, strlen(text));
	end = record_read_last(reader, &why);
	assert_int_equal(end->lists[LIST_STACKS].count, 1);
	assert_string_equal(((struct stack *)snapshot_item(end, LIST_STACKS, 0))->folded, "a?b;[c d]");
	record_close(reader);

	/* What was read is written as it was. */
	again = written(copy, NULL);
	assert_int_equal(strncmp(strstr(again, "\nseries"), strstr(text, "\nseries"), 200), 0);
	free(again);
	snapshot_free(end);
	snapshot_free(copy);
	snapshot_free(last);
	free(text);
	snapshot_free(s);
}

/* Only what is new is written, and what is not there is as before, until its VM is gone. */
static void test_changes(void **state)
{
	struct snapshot *first = filled(), *second = filled(), *a, *b;
	struct series *series = snapshot_item(second, LIST_SERIES, 0);
	char *text;

	(void)state;
	series->count += 5;
	/* Whatever it was that counted has begun again. */
	series = snapshot_item(second, LIST_SERIES, 1);
	series->count--;
	free(series->latency.counts);
	assert_int_equal(histogram_set(&series->latency, (__u64[H2_BUCKETS]){ [90] = 1 }), 0);
	text = written(first, second);
	assert_null(strstr(strstr(strstr(text, "\nseries ") + 1, "\nend") + 1, "\nslow"));
	assert_int_equal(read_all(text, strlen(text), &a, &b), 2);
	assert_int_equal(b->lists[LIST_SERIES].count, 4);
	assert_int_equal(b->lists[LIST_SLOW].count, 1);
	for (int i = 0; i < 4; i++)
		assert_true(item_equal(&trace_lists[LIST_SERIES], snapshot_item(b, LIST_SERIES, i),
				       snapshot_item(second, LIST_SERIES, i)));
	snapshot_free(a);
	snapshot_free(b);
	free(text);
	second->lists[LIST_VMS].count = second->lists[LIST_SERIES].count = 0;
	text = written(first, second);
	assert_int_equal(read_all(text, strlen(text), &a, &b), 2);
	assert_int_equal(b->lists[LIST_SERIES].count, 0);
	snapshot_free(a);
	snapshot_free(b);
	free(text);
	snapshot_free(first);
	/* Freed as what it was. */
	second->lists[LIST_VMS].count = 1;
	second->lists[LIST_SERIES].count = 4;
	snapshot_free(second);
}

/* A record of this version with two intervals, in which a series has these histograms. Returns the last one. */
static struct snapshot *read_histograms(int version, const char *first, const char *place, const char *second)
{
	struct snapshot *a, *b;
	char text[512];

	snprintf(text, sizeof(text),
		 "memattr-record %d prefault-trace\nmeasured faults\nkeys snapshot time_ns\nkeys vm birth name\n"
		 "keys series birth vcpu count latency\nsnapshot 1\nvm 1 web\nseries 1 0 7 %s\nend\n"
		 "snapshot 2\nvm 1 web\nseries @%s = = +5 %s\nend\n", version, first, place, second);
	if (read_all(text, strlen(text), &a, &b) != 2) {
		snapshot_free(a);
		snapshot_free(b);
		return NULL;
	}
	snapshot_free(a);
	return b;
}

static void assert_same_series(int version, const char *first, const char *place, const char *second,
			       const struct snapshot *right)
{
	struct snapshot *s = read_histograms(version, first, place, second);

	assert_non_null(s);
	assert_int_equal(s->lists[LIST_SERIES].count, 1);
	assert_true(item_equal(&trace_lists[LIST_SERIES], snapshot_item(s, LIST_SERIES, 0),
			       snapshot_item(right, LIST_SERIES, 0)));
	snapshot_free(s);
}

/* What version 5 leaves out of a histogram, and how such a histogram can be wrong. */
static void test_histograms(void **state)
{
	static const char *const wrong[] = { "+", "+,88:1", "+88:1,", "+88:1,,89:1", "+88", "+88:1 1", "+88:1A", "+480:zz",
					     "+88:1;", "+88:-1" };
	struct snapshot *right = read_histograms(4, "88:6,89:1", "0", "=+88:1");
	const struct series *series;

	(void)state;
	assert_null(right);
	right = read_histograms(4, "88:6,89:1", "0", "+88:1,90:2,91:1,200:1");
	assert_non_null(right);
	series = snapshot_item(right, LIST_SERIES, 0);
	assert_int_equal(series->count, 12);
	assert_int_equal(histogram_count(&series->latency, 88), 7);
	assert_int_equal(histogram_count(&series->latency, 91), 1);
	assert_int_equal(histogram_count(&series->latency, 200), 1);
	assert_same_series(5, "88:6a", "", "+88:b2a,200:", right);
	assert_same_series(5, "88:6,89:1", "0", "+88:1b2a1,200:1", right);
	snapshot_free(right);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_null(read_histograms(5, "88:6a", "", wrong[i]));
	assert_null(read_histograms(5, "88:6a", "1", "+88:"));
}

/* As read_histograms(), of the version that has columns. */
static struct snapshot *read_columns(const char *places, const char *latency, const char *count)
{
	struct snapshot *a, *b;
	char text[512];

	snprintf(text, sizeof(text),
		 "memattr-record 6 prefault-trace\nmeasured faults\nkeys snapshot time_ns\nkeys vm birth name\n"
		 "keys series birth vcpu latency count\nsnapshot 1\nvm 1 web\nseries 1 0 88:6,89: 7\nend\n"
		 "snapshot 2\nchanged vm 0\nchanged moon 0-9\n+phase 1 2 3\nchanged series %s\n+tide 4 5 6\n+latency %s\n"
		 "+count %s\nend\n", places, latency, count);
	if (read_all(text, strlen(text), &a, &b) != 2) {
		snapshot_free(a);
		a = b;
		b = NULL;
	}
	snapshot_free(a);
	return b;
}

static void assert_columns(const char *latency, const char *count, const struct snapshot *right, uint64_t right_count)
{
	struct snapshot *s = read_columns("0", latency, count);
	const struct series *series;

	assert_non_null(s);
	assert_int_equal(s->lists[LIST_VMS].count, 1);
	assert_int_equal(s->lists[LIST_SERIES].count, 1);
	series = snapshot_item(s, LIST_SERIES, 0);
	assert_int_equal(series->count, right_count);
	assert_true(histogram_equal(&series->latency, &((struct series *)snapshot_item(right, LIST_SERIES, 0))->latency));
	snapshot_free(s);
}

/* What a histogram got tells the values after it. */
static void test_columns(void **state)
{
	static const char *const wrong_places[] = { "", "1", "0-1", "0-", "-0", "x", "0 0", "18446744073709551615" };
	static const char *const wrong_latencies[] = { ":", "88", "+88:1", "m:", "m 88:1", "#", "M", "480:zz" };
	static const char *const wrong_counts[] = { ":", ":-1", "#1", "x", "--1", "-18446744073709551615",
						    "+18446744073709551615", "18446744073709551609", "1 1" };
	struct snapshot *right = read_histograms(5, "88:6a", "", "+88:b2a,200:");
	const uint64_t ns = h2_middle(88) + 2 * h2_middle(90) + h2_middle(91) + h2_middle(200);

	(void)state;
	/* The first letter counts from 75: an eighth of all samples is in bucket 88. */
	assert_columns("mb2a,200:", "#", right, 12);
	assert_columns("88:b2a,200:", "5", right, 12);
	assert_columns(":88:7,89:,90:2a,200:", ":12", right, 12);
	assert_columns("mb2a,200:", "+3", right, 7 + ns + 3);
	assert_columns("mb2a,200:", "-3", right, 7 + ns - 3);
	assert_columns("mb2a,200:", "=", right, 7);
	snapshot_free(right);
	for (size_t i = 0; i < sizeof(wrong_places) / sizeof(*wrong_places); i++)
		assert_null(read_columns(wrong_places[i], "m", "1"));
	for (size_t i = 0; i < sizeof(wrong_latencies) / sizeof(*wrong_latencies); i++)
		assert_null(read_columns("0", wrong_latencies[i], "1"));
	for (size_t i = 0; i < sizeof(wrong_counts) / sizeof(*wrong_counts); i++)
		assert_null(read_columns("0", "m", wrong_counts[i]));
}

/* The size of a record with so many intervals in which all series grow. */
static size_t size_of_record(int intervals)
{
	struct snapshot *before = NULL, *now = NULL;
	size_t size;
	char *text;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	for (int i = 1; i <= intervals; i++) {
		now = filled();
		for (uint32_t vcpu = 10; vcpu < 14; vcpu++)
			add_series(now, vcpu, private_4k, 1000 * i, 4000 + i);
		for (int k = 0; k < 2000; k++) {
			struct stack *stack = snapshot_add(now, LIST_STACKS);

			assert_int_not_equal(asprintf(&stack->folded, "vmm;%0300d;[private_4K_write_fixed]", k), -1);
		}
		for (int k = 0; k < TRACE_SLOW - 1; k++) {
			struct slow *slow = snapshot_add(now, LIST_SLOW);

			slow->ns = 1000 + k;
			assert_int_not_equal(asprintf(&slow->frames, "%0300d", k), -1);
		}
		snapshot_sort(now);
		record_write(file, before, now);
		snapshot_free(before);
		before = now;
	}
	record_write_last(file, now);
	snapshot_free(now);
	fclose(file);
	free(text);
	return size;
}

/* Stacks and the slowest faults are not repeated. */
static void test_size(void **state)
{
	(void)state;
	assert_true(size_of_record(11) - size_of_record(1) < 10 * 5120);
}

/* A later version may know more: what this one does not know is skipped. */
static void test_unknown_keys(void **state)
{
	static const char text[] =
		"memattr-record 3 prefault-trace\nmeasured faults colour\nnews of the day\nkeys snapshot moon time_ns\n"
		"keys vm birth shoe pid\nkeys moon phase\nsnapshot full 17\nvm 3 42 7\nmoon 1 2\nend\n";
	struct snapshot *s, *last;
	const struct trace_vm *vm;

	(void)state;
	assert_int_equal(read_all(text, strlen(text), &s, &last), 1);
	vm = snapshot_item(s, LIST_VMS, 0);
	assert_true(s->time_ns == 17 && s->measured == MEASURE_FAULTS && vm->vm.birth == 3 && vm->vm.pid == 7);
	assert_int_equal(s->lists[LIST_VMS].count, 1);
	snapshot_free(s);
	snapshot_free(last);
}

/* Whatever is cut off or spoiled: an answer, and nothing that is not there. */
static void test_damaged_record(void **state)
{
	struct snapshot *s = filled(), *first, *last;
	char *text = written(s, NULL);
	size_t len = strlen(text), begin = strstr(text, "\nsnapshot ") - text;

	(void)state;
	for (size_t cut = begin + 2; cut < len; cut++) {
		int count = read_all(text, cut, &first, &last);

		assert_true(count <= 0 || (count == 1 && text[cut - 1] == '\n'));
		snapshot_free(first);
		snapshot_free(last);
	}
	for (size_t at = 0; at < len; at++) {
		static const char spoilers[] = "\n\t %:-x9\0";
		char right = text[at];

		for (size_t i = 0; i < sizeof(spoilers); i++) {
			text[at] = spoilers[i];
			read_all(text, len, &first, &last);
			snapshot_free(first);
			snapshot_free(last);
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
	assert_string_equal(level_name(3), "1G");
	assert_string_equal(level_name(200), "unknown");
	assert_string_equal(alias_name(ALIAS_UNKNOWN), "unknown");
	assert_string_equal(kind_reason(REASON_IOCTL), "ioctl");
	assert_string_equal(kind_reason(9), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_use),
		cmocka_unit_test(test_no_vcpu),
		cmocka_unit_test(test_not_measured),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_histograms),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_unknown_keys),
		cmocka_unit_test(test_damaged_record),
		cmocka_unit_test(test_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("prefault-trace", tests, NULL, NULL);
}
