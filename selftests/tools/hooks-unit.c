// SPDX-License-Identifier: GPL-2.0
/* What hooks need to know of kernels that are not here to be booted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "events.h"
#include "results.h"

/* The values of 6.8 to 6.11, and those of 6.12, in the order of their numbers. */
static const char * const before_6_12[] = {
	"RET_PF_CONTINUE", "RET_PF_RETRY", "RET_PF_EMULATE", "RET_PF_INVALID", "RET_PF_FIXED",
	"RET_PF_SPURIOUS", NULL,
};
static const char * const since_6_12[] = {
	"RET_PF_CONTINUE", "RET_PF_RETRY", "RET_PF_EMULATE", "RET_PF_WRITE_PROTECTED", "RET_PF_INVALID",
	"RET_PF_FIXED", "RET_PF_SPURIOUS", NULL,
};
static const char * const of_some_day[] = { "RET_PF_CONTINUE", "RET_PF_NEW", "RET_PF_FIXED", NULL };

static void add_enum(struct btf *btf, const char * const *values)
{
	assert_true(btf__add_enum(btf, NULL, 4) > 0);
	for (int i = 0; values[i]; i++)
		assert_int_equal(btf__add_enum_value(btf, values[i], i), 0);
}

static void find(const char * const *values, __u8 *results)
{
	static const char * const others[] = { "PG_LEVEL_NONE", "PG_LEVEL_4K", NULL };
	struct btf *btf = btf__new_empty();

	assert_non_null(btf);
	add_enum(btf, others);
	if (values)
		add_enum(btf, values);
	assert_true(btf__add_struct(btf, "kvm", 8) > 0);
	results_find(btf, results);
	btf__free(btf);
}

static void test_results_before_6_12(void **state)
{
	__u8 results[KERNEL_RESULTS];

	(void)state;
	find(before_6_12, results);
	assert_int_equal(results[0], RESULT_CONTINUE);
	assert_int_equal(results[1], RESULT_RETRY);
	assert_int_equal(results[2], RESULT_EMULATE);
	assert_int_equal(results[3], RESULT_INVALID);
	assert_int_equal(results[4], RESULT_FIXED);
	assert_int_equal(results[5], RESULT_SPURIOUS);
	for (int value = 6; value < KERNEL_RESULTS; value++)
		assert_int_equal(results[value], RESULT_UNKNOWN);
}

static void test_results_since_6_12(void **state)
{
	__u8 results[KERNEL_RESULTS];

	(void)state;
	find(since_6_12, results);
	for (int value = 0; value < KERNEL_RESULTS; value++)
		assert_int_equal(results[value], value < RESULT_UNKNOWN ? value : RESULT_UNKNOWN);
}

static void test_results_of_unknown_kernels(void **state)
{
	__u8 results[KERNEL_RESULTS];

	(void)state;
	find(of_some_day, results);
	assert_int_equal(results[1], RESULT_UNKNOWN);
	assert_int_equal(results[2], RESULT_FIXED);
	find(NULL, results);
	for (int value = 0; value < KERNEL_RESULTS; value++)
		assert_int_equal(results[value], RESULT_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results_before_6_12),
		cmocka_unit_test(test_results_since_6_12),
		cmocka_unit_test(test_results_of_unknown_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
