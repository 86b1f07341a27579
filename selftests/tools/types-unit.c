// SPDX-License-Identifier: GPL-2.0
/*
 * usage: types-unit merged|apart
 *
 * Which types count as the same, and whether those of vmlinux and of the kvm module are merged on this kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kvm_btf.h"
#include "kvm_core.h"

enum { INT = 1, LONG, POINTER, INNER, OTHER_INNER };

static bool merged_here;

/* A struct of one name, with a member of this type and name at this bit, after one at bit 0. */
static int add_outer(struct btf *btf, int type, const char *member, int bit)
{
	int id = btf__add_struct(btf, "outer", 32);

	assert_int_equal(btf__add_field(btf, "first", INT, 0, 0), 0);
	assert_int_equal(btf__add_field(btf, member, type, bit, 0), 0);
	return id;
}

static struct btf *make_types(void)
{
	struct btf *btf = btf__new_empty();

	assert_non_null(btf);
	assert_int_equal(btf__add_int(btf, "int", 4, BTF_INT_SIGNED), INT);
	assert_int_equal(btf__add_int(btf, "long", 8, BTF_INT_SIGNED), LONG);
	assert_int_equal(btf__add_ptr(btf, INT), POINTER);
	assert_int_equal(btf__add_struct(btf, "inner", 8), INNER);
	assert_int_equal(btf__add_field(btf, "a", INT, 0, 0), 0);
	assert_int_equal(btf__add_struct(btf, "inner", 8), OTHER_INNER);
	assert_int_equal(btf__add_field(btf, "a", INT, 32, 0), 0);
	return btf;
}

static void test_structs(void **state)
{
	struct btf *btf = make_types();
	int id = add_outer(btf, LONG, "second", 64), typedef_id = btf__add_typedef(btf, "s64", LONG);
	int pointer_id = add_outer(btf, POINTER, "second", 64), inner_id = add_outer(btf, INNER, "second", 64);

	(void)state;
	assert_true(btf_same_layout(btf, id, add_outer(btf, LONG, "second", 64)));
	assert_true(btf_same_layout(btf, id, add_outer(btf, typedef_id, "second", 64)));
	assert_false(btf_same_layout(btf, id, add_outer(btf, LONG, "renamed", 64)));
	assert_false(btf_same_layout(btf, id, add_outer(btf, LONG, "second", 128)));
	assert_false(btf_same_layout(btf, id, add_outer(btf, INT, "second", 64)));
	assert_false(btf_same_layout(btf, id, pointer_id));
	assert_true(btf_same_layout(btf, pointer_id, add_outer(btf, btf__add_ptr(btf, LONG), "second", 64)));
	/* What is in a member counts, even if that is as large. */
	assert_false(btf_same_layout(btf, inner_id, add_outer(btf, OTHER_INNER, "second", 64)));
	btf__free(btf);
}

static void test_structs_of_other_sizes(void **state)
{
	struct btf *btf = make_types();
	int id = add_outer(btf, LONG, "second", 64), longer_id = add_outer(btf, LONG, "second", 64);

	(void)state;
	assert_int_equal(btf__add_field(btf, "third", LONG, 128, 0), 0);
	assert_false(btf_same_layout(btf, id, longer_id));
	assert_false(btf_same_layout(btf, btf__add_struct(btf, "empty", 8), btf__add_struct(btf, "empty", 16)));
	assert_false(btf_same_layout(btf, btf__add_struct(btf, "either", 8), btf__add_union(btf, "either", 8)));
	btf__free(btf);
}

static void test_arrays(void **state)
{
	struct btf *btf = make_types();
	int id = btf__add_array(btf, INT, INNER, 4);

	(void)state;
	assert_true(btf_same_layout(btf, id, btf__add_array(btf, INT, INNER, 4)));
	assert_false(btf_same_layout(btf, id, btf__add_array(btf, INT, INNER, 5)));
	assert_false(btf_same_layout(btf, id, btf__add_array(btf, INT, OTHER_INNER, 4)));
	btf__free(btf);
}

static int add_enum(struct btf *btf, const char *value, int number)
{
	int id = btf__add_enum(btf, "stage", 4);

	assert_int_equal(btf__add_enum_value(btf, "zero", 0), 0);
	assert_int_equal(btf__add_enum_value(btf, value, number), 0);
	return id;
}

static int add_enum64(struct btf *btf, __u64 number)
{
	int id = btf__add_enum64(btf, "bits", 8, false);

	assert_int_equal(btf__add_enum64_value(btf, "high", number), 0);
	return id;
}

static void test_enums(void **state)
{
	struct btf *btf = make_types();
	int id = add_enum(btf, "one", 1), declared_id = btf__add_enum(btf, "stage", 4);

	(void)state;
	assert_true(btf_same_layout(btf, id, add_enum(btf, "one", 1)));
	assert_false(btf_same_layout(btf, id, add_enum(btf, "two", 1)));
	assert_false(btf_same_layout(btf, id, add_enum(btf, "one", 2)));
	assert_true(btf_same_layout(btf, declared_id, id));
	assert_true(btf_same_layout(btf, add_enum64(btf, 1ULL << 40), add_enum64(btf, 1ULL << 40)));
	assert_false(btf_same_layout(btf, add_enum64(btf, 1ULL << 40), add_enum64(btf, 1ULL << 41)));
	btf__free(btf);
}

/* Without this the next test would say nothing: there are types that both describe. */
static void test_kvm_is_a_module(void **state)
{
	(void)state;
	assert_int_equal(access(KVM_BTF, R_OK), 0);
}

static void test_merged(void **state)
{
	struct kvm_core core;

	(void)state;
	assert_int_equal(kvm_core_open(&core), 0);
	assert_int_equal(!!core.options, merged_here);
	kvm_core_close(&core);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structs),
		cmocka_unit_test(test_structs_of_other_sizes),
		cmocka_unit_test(test_arrays),
		cmocka_unit_test(test_enums),
		cmocka_unit_test(test_kvm_is_a_module),
		cmocka_unit_test(test_merged),
	};

	if (argc != 2 || (strcmp(argv[1], "merged") && strcmp(argv[1], "apart"))) {
		fprintf(stderr, "usage: types-unit merged|apart\n");
		return 2;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	merged_here = !strcmp(argv[1], "merged");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
