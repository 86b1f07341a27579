// SPDX-License-Identifier: GPL-2.0
/* The parts of memattr-top that need no kernel: the histogram, and how two snapshots become a table. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "figures.h"
#include "format.h"
#include "own_cost.h"
#include "unit-rows.h"

#define ALL (MEASURE_EXITS | MEASURE_CONVERSIONS | MEASURE_REQUESTS | MEASURE_ZAPS | \
	     MEASURE_POLICY | MEASURE_STATS | MEASURE_GMEM)
#define MAX_ERROR 0.07

static void check_h2_value(uint64_t value)
{
	uint32_t bucket = h2_bucket(value);
	double middle = h2_middle(bucket);

	assert_true(bucket < H2_BUCKETS);
	assert_int_equal(h2_bucket(h2_middle(bucket)), bucket);
	if (value < 2 * H2_SUB)
		assert_true(middle == value);
	else
		assert_true(middle >= value * (1 - MAX_ERROR) && middle <= value * (1 + MAX_ERROR));
}

static void test_h2_error(void **state)
{
	(void)state;
	for (uint64_t value = 0; value < 100000; value++)
		check_h2_value(value);
	for (int bit = 0; bit < 64; bit++)
		for (int off = -1; off <= 1; off++)
			check_h2_value((1ULL << bit) + off);
	check_h2_value(UINT64_MAX);
	assert_int_equal(h2_bucket(UINT64_MAX), H2_BUCKETS - 1);
}

/* Each bucket begins where the one before it ends. */
static void test_h2_order(void **state)
{
	uint32_t last = 0;

	(void)state;
	for (uint64_t value = 0; value < 1 << 20; value++) {
		uint32_t bucket = h2_bucket(value);

		assert_true(bucket == last || bucket == last + 1);
		last = bucket;
	}
	for (uint32_t bucket = 1; bucket < H2_BUCKETS; bucket++)
		assert_true(h2_middle(bucket) > h2_middle(bucket - 1));
}

static void test_h2_percentile(void **state)
{
	__u64 counts[H2_BUCKETS] = {};

	(void)state;
	assert_int_equal(h2_percentile(counts, 50), 0);
	counts[h2_bucket(5)] = 1;
	assert_int_equal(h2_percentile(counts, 1), 5);
	assert_int_equal(h2_percentile(counts, 100), 5);
	counts[h2_bucket(5)] = 98;
	counts[h2_bucket(1000)] = 1;
	counts[h2_bucket(1000000)] = 1;
	assert_int_equal(h2_percentile(counts, 50), 5);
	assert_int_equal(h2_percentile(counts, 98), 5);
	assert_int_equal(h2_percentile(counts, 99), h2_middle(h2_bucket(1000)));
	assert_int_equal(h2_percentile(counts, 99.5), h2_middle(h2_bucket(1000000)));
}

static int column(const char *key)
{
	return column_of(&sheets[SHEET_VMS], key);
}

static struct snapshot *snapshot_after(uint64_t seconds)
{
	return snapshot_at(top_lists, 1, seconds * 1000000000, ALL);
}

static struct top_vm *add_vm(struct snapshot *s, uint64_t birth, pid_t pid, uint64_t exits)
{
	struct top_vm *vm = snapshot_add(s, 0);

	assert_non_null(vm);
	vm->vm = (struct snapshot_vm){ .birth = birth, .pid = pid, .creator_tid = pid, .name = "vm" };
	vm->numbers.exits = exits;
	return vm;
}

static void set_latency(struct top_vm *vm, uint64_t ns, uint64_t count, uint64_t also_ns)
{
	__u64 buckets[H2_BUCKETS] = {};

	buckets[h2_bucket(ns)] += count;
	buckets[h2_bucket(also_ns)]++;
	free(vm->latency.counts);
	assert_int_equal(histogram_set(&vm->latency, buckets), 0);
}

static struct rows build(const struct snapshot *before, const struct snapshot *now, bool totals,
			 struct rows_options options)
{
	return build_rows(&sheets[SHEET_VMS], before, now, totals, options);
}

/* A VM that was busy before, and in the interval has a fast conversion; and one that is new. */
static void add_two_vms(struct snapshot *before, struct snapshot *now)
{
	struct top_vm *vm = add_vm(before, 1, 100, 1000);

	vm->numbers.to_private = 5;
	set_latency(vm, 10, 999, 10);
	vm = add_vm(now, 1, 100, 1500);
	vm->numbers.to_private = 6;
	set_latency(vm, 10, 1000, 3);
	add_vm(now, 2, 200, 40);
}

static void test_rates(void **state)
{
	struct snapshot *before = snapshot_after(1), *now = snapshot_after(3);
	const struct rows_options by_exits = { .sort = column("exits") };
	struct rows rows;

	(void)state;
	add_two_vms(before, now);
	rows = build(before, now, false, by_exits);
	assert_int_equal(rows.count, 2);
	assert_number(&rows.rows[0], "pid", 100);
	assert_number(&rows.rows[0], "exits", 250);
	assert_number(&rows.rows[0], "to_priv", 0.5);
	/* The interval's latencies, not those of all the time. */
	assert_number(&rows.rows[0], "p50", 3);
	assert_number(&rows.rows[0], "p99", 3);
	/* It was not there before: counted from nothing. */
	assert_number(&rows.rows[1], "exits", 20);
	assert_none(&rows.rows[1], "p50");
	rows_free(&rows);

	rows = build(before, now, true, by_exits);
	assert_number(&rows.rows[0], "exits", 1500);
	assert_number(&rows.rows[0], "to_priv", 6);
	assert_number(&rows.rows[0], "p50", 10);
	rows_free(&rows);

	/* The first screen: rates would be invented. */
	rows = build(NULL, now, false, by_exits);
	assert_none(&rows.rows[0], "exits");
	assert_none(&rows.rows[0], "p50");
	rows_free(&rows);
	snapshot_free(before);
	snapshot_free(now);
}

/* The same process number and the same slot, but another VM; or an idle VM, without a birth, gets its first events. */
static void check_new_vm(uint64_t birth, uint64_t exits)
{
	struct snapshot *before = snapshot_after(0), *now = snapshot_after(1);
	struct rows rows;

	add_vm(before, birth, 100, exits);
	add_vm(now, 7, 100, 10);
	rows = build(before, now, false, (struct rows_options){});
	assert_number(&rows.rows[0], "exits", 10);
	rows_free(&rows);
	snapshot_free(before);
	snapshot_free(now);
}

static void test_new_vms(void **state)
{
	(void)state;
	check_new_vm(1, 1000);
	check_new_vm(0, 0);
}

/* n/a whatever the counters hold, and never 0. */
static void test_not_measured(void **state)
{
	static const struct {
		unsigned int missing;
		const char *keys[7];
	} cases[] = {
		{ MEASURE_EXITS, { "exits" } },
		{ MEASURE_CONVERSIONS, { "to_priv", "to_shared", "eff_pg" } },
		{ MEASURE_REQUESTS, { "req_pg", "denied", "p50", "p99", "held", "failed" } },
		{ MEASURE_ZAPS, { "zap_pg" } },
		{ MEASURE_GMEM, { "gmem", "gmem_priv" } },
		{ MEASURE_STATS, { "gmem_priv" } },
	};
	struct snapshot *s = snapshot_after(1);

	(void)state;
	set_latency(add_vm(s, 1, 100, 1), 1, 1, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct rows rows;
		int missing = 0, expected = 0;

		s->measured = ALL & ~cases[i].missing;
		rows = build(NULL, s, true, (struct rows_options){});
		while (cases[i].keys[expected])
			assert_not_measured(&rows.rows[0], cases[i].keys[expected++]);
		for (int c = 0; c < sheets[SHEET_VMS].column_count; c++)
			missing += rows.rows[0].cells[c].kind == CELL_NOT_MEASURED;
		assert_int_equal(missing, expected);
		rows_free(&rows);
	}
	snapshot_free(s);
}

static void check_policy(struct snapshot *s, const char *policy, const char *left)
{
	struct rows rows = build(NULL, s, false, (struct rows_options){});

	assert_string_equal(sheets[SHEET_VMS].columns[column("policy")].text(&rows.rows[0]), policy);
	assert_string_equal(sheets[SHEET_VMS].columns[column("left")].text(&rows.rows[0]), left);
	rows_free(&rows);
}

static void test_policy(void **state)
{
	struct snapshot *s = snapshot_after(1);
	struct top_vm *vm = add_vm(s, 1, 100, 1);

	(void)state;
	s->measured = ALL & ~MEASURE_POLICY;
	check_policy(s, "n/a", "n/a");
	s->measured = ALL;
	check_policy(s, "-", "-");
	vm->policy_known = true;
	check_policy(s, "none", "-");
	strcpy(vm->left, "seal:unreg");
	check_policy(s, "none", "seal:unreg");
	vm->ejected = true;
	check_policy(s, "ejected", "seal:unreg");
	strcpy(vm->policy, "seal");
	check_policy(s, "seal", "seal:unreg");
	snapshot_free(s);
}

static void check_order(const char *sort, struct rows_options options, const struct snapshot *s, const char *order)
{
	struct rows rows;

	options.sort = column(sort);
	rows = build(NULL, s, true, options);
	assert_int_equal(rows.count, strlen(order));
	for (size_t i = 0; i < rows.count; i++)
		assert_int_equal(rows.rows[i].vm->pid, order[i] - '0');
	rows_free(&rows);
}

static void test_order_and_filter(void **state)
{
	struct snapshot *s = snapshot_after(1);
	struct top_vm *vm;

	(void)state;
	strcpy(add_vm(s, 1, 3, 10)->vm.name, "a");
	strcpy(add_vm(s, 2, 1, 30)->vm.name, "c");
	vm = add_vm(s, 3, 2, 10);
	strcpy(vm->vm.name, "b");
	set_latency(vm, 5, 1, 5);
	vm->vm.creator_tid = 9;

	check_order("exits", (struct rows_options){}, s, "123");
	check_order("exits", (struct rows_options){ .reverse = true }, s, "231");
	check_order("pid", (struct rows_options){}, s, "123");
	check_order("name", (struct rows_options){}, s, "321");
	/* Those without a latency come last. */
	check_order("p99", (struct rows_options){}, s, "213");
	check_order("pid", (struct rows_options){ .pid = 3 }, s, "3");
	/* The thread that created the VM stands for its process. */
	check_order("pid", (struct rows_options){ .pid = 9 }, s, "2");
	check_order("pid", (struct rows_options){ .pid = 4 }, s, "");
	snapshot_free(s);
}

static void assert_count(double count, const char *expected)
{
	char text[32];

	format_count(text, sizeof(text), count);
	assert_string_equal(text, expected);
}

static void assert_bytes(double bytes, const char *expected)
{
	char text[32];

	format_bytes(text, sizeof(text), bytes);
	assert_string_equal(text, expected);
}

static void assert_ns(double ns, const char *expected)
{
	char text[32];

	format_ns(text, sizeof(text), ns);
	assert_string_equal(text, expected);
}

static void test_formats(void **state)
{
	char text[32];

	(void)state;
	assert_count(0, "0");
	assert_count(0.01, "<0.1");
	assert_count(0.3, "0.3");
	assert_count(1, "1");
	assert_count(9.94, "9.9");
	assert_count(9.96, "10");
	assert_count(999.4, "999");
	assert_count(999.6, "1.00k");
	assert_count(12345, "12.3k");
	assert_count(999600, "1.00M");
	assert_count(18446744073709551615.0, "18.4E");
	assert_ns(0, "0ns");
	assert_ns(850, "850ns");
	assert_ns(1234, "1.2us");
	assert_ns(12345, "12us");
	assert_ns(999600, "1.0ms");
	assert_ns(2.5e9, "2.5s");
	assert_bytes(0, "0");
	assert_bytes(1023, "1023");
	assert_bytes(4096, "4K");
	assert_bytes(1.5 * (1 << 20), "1.5M");
	assert_bytes(1023.6 * (1 << 20), "1.0G");
	assert_bytes(1 << 30, "1G");

	/* They fit the columns of the narrowest layout. */
	for (double n = 0.001; n < 1.8e19; n *= 1.01) {
		format_count(text, sizeof(text), n);
		assert_true(strlen(text) <= 5);
		format_bytes(text, sizeof(text), n);
		assert_true(strlen(text) <= 5);
		if (n < 9e12) {
			format_ns(text, sizeof(text), n);
			assert_true(strlen(text) <= 5);
		}
	}
}

/* --- parts --- */

static void add_part(struct snapshot *s, uint64_t birth, enum top_part_kind kind, int64_t number, uint64_t count,
		     uint64_t ns)
{
	struct top_part *part = snapshot_add(s, LIST_PARTS);
	__u64 buckets[TOP_BUCKETS] = {};

	assert_non_null(part);
	part->birth = birth;
	part->kind = kind;
	part->part = number;
	part->numbers = (struct part_numbers){ .count = count, .ns = ns };
	buckets[h2_bucket(ns / count)] = count;
	assert_int_equal(histogram_set_first(&part->latency, buckets, TOP_BUCKETS), 0);
}

static const struct cell *cell_of(const struct row *row, const char *key)
{
	for (int i = 0; i < row->sheet->column_count; i++)
		if (!strcmp(row->sheet->columns[i].key, key))
			return &row->cells[i];
	fail_msg("no column %s", key);
	return NULL;
}

static void assert_part(const struct row *row, long part, double exits, double time, double share)
{
	assert_int_equal(row->part, part);
	assert_true(cell_of(row, "exits")->number == exits);
	assert_true(cell_of(row, "time")->number == time);
	assert_true(cell_of(row, "share")->number == share);
}

/* Each VM has parts of its own, and those of one kind are not in the view of another. */
static void test_parts(void **state)
{
	const struct rows_options by_exits = { .sort = 3 };
	struct snapshot *before = snapshot_new(top_lists, LIST_COUNT), *now = snapshot_new(top_lists, LIST_COUNT);
	struct pair pair;
	struct rows rows;

	(void)state;
	before->time_ns = 1000000000;
	now->time_ns = 3000000000;
	before->measured = now->measured = ~0U;
	add_vm(before, 1, 100, 0);
	add_vm(now, 1, 100, 0);
	add_vm(now, 2, 200, 0);
	add_vm(now, 0, 300, 0);
	add_part(now, 2, PART_VCPU, 0, 10, 100);
	add_part(now, 1, PART_EXIT, PART_EXIT_OF(REASON_SVM, 0x400), 1000, 10);
	add_part(now, 1, PART_VCPU, 3, 60, 3000);
	add_part(now, 1, PART_VCPU, 0, 50, 1200);
	add_part(before, 1, PART_VCPU, 0, 10, 200);
	snapshot_sort(before);
	snapshot_sort(now);
	pair = pair_of(before, now, false);
	assert_int_equal(rows_build(&rows, &sheets[SHEET_VCPUS], &pair, &by_exits), 0);
	assert_int_equal(rows.count, 3);
	assert_part(&rows.rows[0], 3, 30, 1500, 75);
	assert_part(&rows.rows[1], 0, 20, 500, 25);
	assert_part(&rows.rows[2], 0, 5, 50, 100);
	assert_int_equal(rows.rows[2].vm->pid, 200);
	/* The interval's, not those of all the time. */
	assert_true(cell_of(&rows.rows[1], "p50")->number == h2_middle(h2_bucket(24)));
	rows_free(&rows);

	/* Nobody looked: an interval that was not counted as a whole has no figures. */
	before->unwanted = MEASURE_VCPUS;
	assert_int_equal(rows_build(&rows, &sheets[SHEET_VCPUS], &pair, &by_exits), 0);
	assert_int_equal(cell_of(&rows.rows[0], "exits")->kind, CELL_NO_SAMPLE);
	assert_int_equal(cell_of(&rows.rows[0], "time")->kind, CELL_NUMBER);
	rows_free(&rows);
	snapshot_free(before);
	snapshot_free(now);
}

static void test_exit_names(void **state)
{
	const char *one, *other;

	(void)state;
	assert_string_equal(exit_name(PART_EXIT_OF(REASON_SVM, 0x400)), "npf");
	assert_string_equal(exit_name(PART_EXIT_OF(REASON_VMX, 48)), "EPT_VIOLATION");
	assert_string_equal(exit_name(PART_EXIT_OF(REASON_USER, 3)), "user:hypercall");
	assert_string_equal(exit_name(PART_EXIT_OF(REASON_USER, 39)), "user:memory_fault");
	assert_string_equal(exit_name(PART_EXIT_OF(REASON_USER, 0)), "user:unknown");
	assert_string_equal(exit_name(PART_EXIT_OF(REASON_USER, 999)), "user:999");
	assert_string_equal(exit_name(PART_EXIT_OF(REASON_USER_ERROR, EINTR)), "user:EINTR");
	assert_string_equal(exit_name(PART_EXIT_OF(REASON_USER_ERROR, 14)), "user:error_14");
	/* A comparison has two at a time. */
	one = exit_name(PART_EXIT_OF(REASON_SVM, 0x7fff));
	other = exit_name(PART_EXIT_OF(REASON_VMX, 0x7fff));
	assert_string_equal(one, "svm:0x7fff");
	assert_string_equal(other, "vmx:32767");
	for (int number = 1000; number < 1100; number++)
		other = exit_name(PART_EXIT_OF(REASON_USER, number));
	assert_string_equal(other, "other");
	assert_string_equal(one, "svm:0x7fff");
}

/* A decision's time, and the budget's part of it. A policy without a limit has no budget. */
static void test_decisions(void **state)
{
	struct snapshot *s = snapshot_new(top_lists, LIST_COUNT);
	struct top_vm *vm = add_vm(s, 1, 100, 0);
	struct pair pair = pair_of(NULL, s, true);
	struct rows rows;

	(void)state;
	s->measured = ~0U;
	vm->numbers.policy_calls = 4;
	vm->numbers.policy_ns = 2000;
	for (vm->budget_us = 0; vm->budget_us <= 10; vm->budget_us += 10) {
		assert_int_equal(rows_build(&rows, &sheets[SHEET_POLICY], &pair, &(struct rows_options){ .sort = 3 }), 0);
		assert_true(cell_of(&rows.rows[0], "call_time")->number == 500);
		assert_int_equal(cell_of(&rows.rows[0], "budget")->kind, vm->budget_us ? CELL_NUMBER : CELL_NO_SAMPLE);
		if (vm->budget_us)
			assert_true(cell_of(&rows.rows[0], "budget")->number == 5);
		rows_free(&rows);
	}
	snapshot_free(s);
}

static void assert_cost(struct own_cost *cost, uint64_t timed_ns, uint64_t exits, uint64_t ns, uint64_t runs)
{
	struct snapshot_cost reading = { .ns = timed_ns, .runs = timed_ns / 100 };

	own_cost_estimate(cost, &reading, exits, false);
	assert_true(reading.known);
	assert_int_equal(reading.ns, ns);
	assert_int_equal(reading.runs, runs);
}

/* In between, an exit costs what it did when the kernel timed the programs, without the timing. */
static void test_own_cost(void **state)
{
	struct own_cost cost = { .stats_fd = open("/dev/null", O_RDONLY | O_CLOEXEC), .can_time = true };

	(void)state;
	assert_true(cost.stats_fd >= 0);
	cost.timing_ns = 40;
	assert_cost(&cost, 1000, 5, 1000, 10);
	assert_true(cost.stats_fd >= 0);
	assert_cost(&cost, 3000, 25, 3000, 30);
	/* The first interval is over. */
	assert_int_equal(cost.stats_fd, -1);
	assert_cost(&cost, 3000, 35, 3600, 40);
	assert_cost(&cost, 3000, 35, 3600, 40);
	assert_cost(&cost, 3000, 135, 9600, 140);
	assert_int_equal(cost.stats_fd, -1);
	own_cost_close(&cost);

	/* Programs that take no longer than one that does nothing do not win any time. */
	cost = (struct own_cost){ .stats_fd = open("/dev/null", O_RDONLY | O_CLOEXEC), .can_time = true, .timing_ns = 200 };
	assert_cost(&cost, 1000, 5, 1000, 10);
	assert_cost(&cost, 3000, 25, 3000, 30);
	assert_cost(&cost, 3000, 35, 3000, 40);
	own_cost_close(&cost);

	/* Nothing could ever be timed. */
	cost = (struct own_cost){ .stats_fd = -1 };
	own_cost_estimate(&cost, &(struct snapshot_cost){}, 5, true);
	assert_int_equal(cost.stats_fd, -1);
	assert_int_equal(cost.sum.ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_cost),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_exit_names),
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_h2_error),
		cmocka_unit_test(test_h2_order),
		cmocka_unit_test(test_h2_percentile),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_new_vms),
		cmocka_unit_test(test_not_measured),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_order_and_filter),
		cmocka_unit_test(test_formats),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("memattr-top", tests, NULL, NULL);
}
