// SPDX-License-Identifier: GPL-2.0
/* What hooks need to know of kernels that are not here to be booted. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cpus.h"
#include "events.h"
#include "fallback.h"
#include "results.h"
#include "symbols.h"

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

/* Makes a file with this text; @path ends in XXXXXX. */
static void make_file(char *path, const char *text)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int end_of(const char *list)
{
	char path[] = "/tmp/cpus-XXXXXX";
	int end;

	make_file(path, list);
	end = cpus_end(path);
	unlink(path);
	return end;
}

static void test_numbers_of_cpus(void **state)
{
	(void)state;
	assert_int_equal(end_of("0\n"), 1);
	assert_int_equal(end_of("0-7\n"), 8);
	assert_int_equal(end_of("0,2-3\n"), 4);
	assert_int_equal(end_of("0-1,8,16-31\n"), 32);
	assert_int_equal(end_of("\n"), -EINVAL);
	assert_int_equal(cpus_end("/nonexistent"), -ENOENT);
}

static void read_symbols(struct symbols **symbols, const char *kallsyms, const char *modules)
{
	char kallsyms_path[] = "/tmp/kallsyms-XXXXXX", modules_path[] = "/tmp/modules-XXXXXX";

	make_file(kallsyms_path, kallsyms);
	make_file(modules_path, modules);
	assert_int_equal(symbols_read_from(symbols, kallsyms_path, modules_path), 0);
	unlink(kallsyms_path);
	unlink(modules_path);
}

static void test_ends_of_symbols(void **state)
{
	struct symbols *symbols = NULL;

	(void)state;
	read_symbols(&symbols,
		     "ffffffff81000000 T first\nffffffff81000100 t second\nffffffff81000200 D data\n"
		     "ffffffff81000300 W third\nffffffff81000300 d same_place\n"
		     "ffffffffc0000000 t in_module\t[kvm]\n", "kvm 4096 1 - Live 0xffffffffc0000000\n");
	assert_string_equal(symbols_name(symbols, 0xffffffff80ffffff), "0xffffffff80ffffff");
	assert_string_equal(symbols_name(symbols, 0xffffffff810000ff), "first");
	assert_string_equal(symbols_name(symbols, 0xffffffff810001ff), "second");
	assert_string_equal(symbols_name(symbols, 0xffffffff81000200), "0xffffffff81000200");
	assert_string_equal(symbols_name(symbols, 0xffffffff81000300), "third");
	assert_string_equal(symbols_name(symbols, 0xffffffff83000300), "0xffffffff83000300");
	assert_string_equal(symbols_name(symbols, 0xffffffffc0000042), "in_module");
	assert_string_equal(symbols_name(symbols, 0xffffffffc1000042), "0xffffffffc1000042");
	symbols_free(symbols);
	assert_string_equal(symbols_name(NULL, 0x42), "0x42");
}

#define KERNEL_SYMBOL "ffffffff81000000 T kernel\n"

static void test_modules_that_come_and_go(void **state)
{
	struct symbols *symbols = NULL;

	(void)state;
	read_symbols(&symbols, KERNEL_SYMBOL "ffffffffc0000000 t old\t[a]\n", "a 1 1 - Live 0xffffffffc0000000\n");
	/* Only a count has changed: the symbols are not read again. */
	read_symbols(&symbols, KERNEL_SYMBOL "ffffffffc0000000 t unread\t[a]\n", "a 1 7 - Live 0xffffffffc0000000\n");
	assert_string_equal(symbols_name(symbols, 0xffffffffc0000000), "old");
	read_symbols(&symbols, KERNEL_SYMBOL, "");
	assert_string_equal(symbols_name(symbols, 0xffffffffc0000000), "old");
	read_symbols(&symbols, KERNEL_SYMBOL "ffffffffc0000000 t new\t[b]\nffffffffc0020000 t more\t[b]\n",
		     "b 1 1 - Live 0xffffffffc0000000\n");
	assert_string_equal(symbols_name(symbols, 0xffffffffc0000000), "0xffffffffc0000000");
	assert_string_equal(symbols_name(symbols, 0xffffffffc0020000), "more");
	assert_string_equal(symbols_name(symbols, 0xffffffff81000000), "kernel");
	for (int i = 0; i < 100; i++)
		read_symbols(&symbols, "ffffffffc0000000 t last\t[b]\n",
			     i % 2 ? "b 1 1 - Live 0xffffffffc0000000\n" : "");
	assert_string_equal(symbols_name(symbols, 0xffffffffc0000000), "last");
	symbols_free(symbols);
}

static void test_what_hooks_tell(void **state)
{
	static const struct hook events = { .metric = 0, .measures = 1 }, ends = { .metric = 1, .measures = 2 };
	struct hooks hooks = { .active = { &events, &ends }, .sure = { true, true } };

	(void)state;
	assert_int_equal(fallback_measures(&hooks), 3);
	assert_true(fallback_tells_all(&hooks, 1));
	/* The kernel did not call the hook once: a VM may have ended unseen. */
	hooks.missed[1] = 1;
	assert_false(fallback_tells_all(&hooks, 1));
	assert_int_equal(fallback_measures(&hooks), 3);
	hooks.missed[1] = 0;
	hooks.sure[1] = false;
	assert_false(fallback_tells_all(&hooks, 1));
	assert_int_equal(fallback_measures(&hooks), 1);
	assert_false(fallback_tells_all(&hooks, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results_before_6_12),
		cmocka_unit_test(test_results_since_6_12),
		cmocka_unit_test(test_results_of_unknown_kernels),
		cmocka_unit_test(test_numbers_of_cpus),
		cmocka_unit_test(test_ends_of_symbols),
		cmocka_unit_test(test_modules_that_come_and_go),
		cmocka_unit_test(test_what_hooks_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
