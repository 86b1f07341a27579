// SPDX-License-Identifier: GPL-2.0
#include "results.h"

#include <stddef.h>
#include <string.h>

#include "stage2.h"

static const char * const names[] = {
	[RESULT_CONTINUE] = "RET_PF_CONTINUE",
	[RESULT_RETRY] = "RET_PF_RETRY",
	[RESULT_EMULATE] = "RET_PF_EMULATE",
	[RESULT_WRITE_PROTECTED] = "RET_PF_WRITE_PROTECTED",
	[RESULT_INVALID] = "RET_PF_INVALID",
	[RESULT_FIXED] = "RET_PF_FIXED",
	[RESULT_SPURIOUS] = "RET_PF_SPURIOUS",
};

static __u8 result_named(const char *name)
{
	for (size_t result = 0; result < sizeof(names) / sizeof(*names); result++)
		if (!strcmp(name, names[result]))
			return result;
	return RESULT_UNKNOWN;
}

/* The enum has no name: its values tell which it is. */
static bool is_results(const struct btf *btf, const struct btf_type *type)
{
	const struct btf_enum *value = btf_enum(type);

	return btf_is_enum(type) && btf_vlen(type) &&
	       !strcmp(btf__name_by_offset(btf, value->name_off), names[RESULT_CONTINUE]);
}

void results_find(const struct btf *kvm, __u8 *results)
{
	memset(results, RESULT_UNKNOWN, KERNEL_RESULTS);
	for (__u32 id = btf__type_cnt(kvm) - 1; id; id--) {
		const struct btf_type *type = btf__type_by_id(kvm, id);
		const struct btf_enum *value = btf_enum(type);

		if (!is_results(kvm, type))
			continue;
		for (int i = 0; i < btf_vlen(type); i++, value++)
			if (value->val >= 0 && value->val < KERNEL_RESULTS)
				results[value->val] = result_named(btf__name_by_offset(kvm, value->name_off));
		return;
	}
}
