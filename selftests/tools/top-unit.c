// SPDX-License-Identifier: GPL-2.0
/* What of memattr-top needs no kernel: the histogram, and how a snapshot pair becomes a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format.h"
#include "rows.h"

#define ALL (MEASURE_EXITS | MEASURE_CONVERSIONS | MEASURE_REQUESTS | MEASURE_ZAPS | \
	     MEASURE_POLICY)
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

static struct snapshot_vm vm_of(uint64_t birth, pid_t pid, uint64_t exits)
{
	struct snapshot_vm vm = { .birth = birth, .pid = pid, .creator_tid = pid, .exits = exits };

	strcpy(vm.name, "vm");
	return vm;
}

static struct rows build(const struct snapshot *before, const struct snapshot *now,
			 struct rows_options options)
{
	struct rows rows;

	assert_int_equal(rows_build(&rows, before, now, &options), 0);
	return rows;
}

static void assert_number(const struct row *row, enum column column, double number)
{
	assert_int_equal(row->cells[column].kind, CELL_NUMBER);
	assert_true(row->cells[column].number == number);
}

static void test_rates(void **state)
{
	struct snapshot_vm then = vm_of(1, 100, 1000), now_vms[2];
	struct snapshot before = { .time_ns = 1000000000, .measured = ALL, .vms = &then, .vm_count = 1 };
	struct snapshot now = { .time_ns = 3000000000, .measured = ALL, .vms = now_vms, .vm_count = 2 };
	struct rows rows;

	(void)state;
	then.counts.to_private = 5;
	then.counts.latency[h2_bucket(10)] = 1000;
	now_vms[0] = then;
	now_vms[0].exits = 1500;
	now_vms[0].counts.to_private = 6;
	now_vms[0].counts.latency[h2_bucket(3)] = 1;
	now_vms[1] = vm_of(2, 200, 40);

	rows = build(&before, &now, (struct rows_options){ .sort = COLUMN_EXITS });
	assert_int_equal(rows.count, 2);
	assert_number(&rows.rows[0], COLUMN_PID, 100);
	assert_number(&rows.rows[0], COLUMN_EXITS, 250);
	assert_number(&rows.rows[0], COLUMN_TO_PRIVATE, 0.5);
	/* Of the interval, not of all the time. */
	assert_number(&rows.rows[0], COLUMN_P50_NS, 3);
	assert_number(&rows.rows[0], COLUMN_P99_NS, 3);
	/* It was not there before: counted from nothing. */
	assert_number(&rows.rows[1], COLUMN_EXITS, 20);
	assert_int_equal(rows.rows[1].cells[COLUMN_P50_NS].kind, CELL_NO_SAMPLE);
	rows_free(&rows);

	rows = build(&before, &now, (struct rows_options){ .totals = true, .sort = COLUMN_EXITS });
	assert_number(&rows.rows[0], COLUMN_EXITS, 1500);
	assert_number(&rows.rows[0], COLUMN_TO_PRIVATE, 6);
	assert_number(&rows.rows[0], COLUMN_P50_NS, 10);
	rows_free(&rows);

	/* The first screen: rates would be invented. */
	rows = build(NULL, &now, (struct rows_options){ .sort = COLUMN_EXITS });
	assert_int_equal(rows.rows[0].cells[COLUMN_EXITS].kind, CELL_NO_SAMPLE);
	assert_int_equal(rows.rows[0].cells[COLUMN_P50_NS].kind, CELL_NO_SAMPLE);
	rows_free(&rows);
}

/* The same process number and the same slot, but another VM. */
static void test_reused_identity(void **state)
{
	struct snapshot_vm then = vm_of(1, 100, 1000), next = vm_of(2, 100, 10);
	struct snapshot before = { .time_ns = 0, .measured = ALL, .vms = &then, .vm_count = 1 };
	struct snapshot now = { .time_ns = 1000000000, .measured = ALL, .vms = &next, .vm_count = 1 };
	struct rows rows = build(&before, &now, (struct rows_options){});

	(void)state;
	assert_number(&rows.rows[0], COLUMN_EXITS, 10);
	rows_free(&rows);
}

/* A VM that was idle so far, listed without a birth, gets its first events. */
static void test_first_events(void **state)
{
	struct snapshot_vm idle = vm_of(0, 100, 0), busy = vm_of(7, 100, 10);
	struct snapshot before = { .time_ns = 0, .measured = ALL, .vms = &idle, .vm_count = 1 };
	struct snapshot now = { .time_ns = 1000000000, .measured = ALL, .vms = &busy, .vm_count = 1 };
	struct rows rows = build(&before, &before, (struct rows_options){ .totals = true });

	(void)state;
	assert_number(&rows.rows[0], COLUMN_EXITS, 0);
	rows_free(&rows);
	rows = build(&before, &now, (struct rows_options){});
	assert_number(&rows.rows[0], COLUMN_EXITS, 10);
	rows_free(&rows);
}

/* n/a whatever the counters hold, and never 0. */
static void test_not_measured(void **state)
{
	static const struct {
		unsigned int missing;
		enum column columns[6];	/* PID ends it */
	} cases[] = {
		{ MEASURE_EXITS, { COLUMN_EXITS } },
		{ MEASURE_CONVERSIONS,
		  { COLUMN_TO_PRIVATE, COLUMN_TO_SHARED, COLUMN_EFFECTIVE_PAGES } },
		{ MEASURE_REQUESTS,
		  { COLUMN_REQUESTED_PAGES, COLUMN_DENIED, COLUMN_P50_NS, COLUMN_P99_NS,
		    COLUMN_HELD } },
		{ MEASURE_ZAPS, { COLUMN_ZAP_PAGES } },
	};
	struct snapshot_vm vm = vm_of(1, 100, 1);

	(void)state;
	vm.counts.latency[0] = 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct snapshot s = { .measured = ALL & ~cases[i].missing, .vms = &vm, .vm_count = 1 };
		struct rows rows = build(NULL, &s, (struct rows_options){ .totals = true });
		int missing = 0, expected = 0;

		while (cases[i].columns[expected])
			assert_int_equal(rows.rows[0].cells[cases[i].columns[expected++]].kind,
					 CELL_NOT_MEASURED);
		for (int column = 0; column < COLUMN_COUNT; column++)
			missing += rows.rows[0].cells[column].kind == CELL_NOT_MEASURED;
		assert_int_equal(missing, expected);
		rows_free(&rows);
	}
}

static void check_policy(const struct snapshot_vm *vm, unsigned int measured, const char *text)
{
	struct snapshot s = { .measured = measured, .vms = (void *)vm, .vm_count = 1 };
	struct rows rows = build(NULL, &s, (struct rows_options){});

	assert_string_equal(rows.rows[0].policy, text);
	rows_free(&rows);
}

static void test_policy(void **state)
{
	struct snapshot_vm vm = vm_of(1, 100, 1);

	(void)state;
	check_policy(&vm, ALL & ~MEASURE_POLICY, "n/a");
	check_policy(&vm, ALL, "-");
	vm.policy_known = true;
	check_policy(&vm, ALL, "none");
	strcpy(vm.policy, "seal");
	check_policy(&vm, ALL, "seal");
}

static void check_order(struct rows_options options, const struct snapshot *s, const char *order)
{
	struct rows rows = build(NULL, s, options);

	assert_int_equal(rows.count, strlen(order));
	for (size_t i = 0; i < rows.count; i++)
		assert_int_equal(rows.rows[i].vm->pid, order[i] - '0');
	rows_free(&rows);
}

static void test_order_and_filter(void **state)
{
	struct snapshot_vm vms[3] = { vm_of(1, 3, 10), vm_of(2, 1, 30), vm_of(3, 2, 10) };
	struct snapshot s = { .measured = ALL, .vms = vms, .vm_count = 3 };

	(void)state;
	strcpy(vms[0].name, "a");
	strcpy(vms[1].name, "c");
	strcpy(vms[2].name, "b");
	vms[2].counts.latency[5] = 1;
	vms[2].creator_tid = 9;

	check_order((struct rows_options){ .totals = true, .sort = COLUMN_EXITS }, &s, "123");
	check_order((struct rows_options){ .totals = true, .sort = COLUMN_EXITS, .reverse = true },
		    &s, "231");
	check_order((struct rows_options){ .totals = true, .sort = COLUMN_PID }, &s, "123");
	check_order((struct rows_options){ .totals = true, .sort = COLUMN_NAME }, &s, "321");
	/* Those without a latency come last. */
	check_order((struct rows_options){ .totals = true, .sort = COLUMN_P99_NS }, &s, "213");
	check_order((struct rows_options){ .totals = true, .pid = 3 }, &s, "3");
	/* The thread that created the VM stands for its process. */
	check_order((struct rows_options){ .totals = true, .pid = 9 }, &s, "2");
	check_order((struct rows_options){ .totals = true, .pid = 4 }, &s, "");
}

static void assert_count(double count, const char *expected)
{
	char text[32];

	format_count(text, sizeof(text), count);
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

	/* They fit the columns of the narrowest layout. */
	for (double n = 0.001; n < 1.8e19; n *= 1.01) {
		format_count(text, sizeof(text), n);
		assert_true(strlen(text) <= 5);
		if (n < 9e12) {
			format_ns(text, sizeof(text), n);
			assert_true(strlen(text) <= 5);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_h2_error),
		cmocka_unit_test(test_h2_order),
		cmocka_unit_test(test_h2_percentile),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_reused_identity),
		cmocka_unit_test(test_first_events),
		cmocka_unit_test(test_not_measured),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_order_and_filter),
		cmocka_unit_test(test_formats),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("memattr-top", tests, NULL, NULL);
}
