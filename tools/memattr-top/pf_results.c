// SPDX-License-Identifier: GPL-2.0
#include "pf_results.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "kvm_btf.h"

/* The enum has no name: its values tell which it is. */
static bool find_in(const struct btf *btf, const struct btf_type *type, struct pf_results *results)
{
	const struct btf_enum *value = btf_enum(type);
	int found = 0;

	for (int i = 0; i < btf_vlen(type); i++, value++) {
		const char *name = btf__name_by_offset(btf, value->name_off);
		bool fixed = !strcmp(name, "RET_PF_FIXED"), spurious = !strcmp(name, "RET_PF_SPURIOUS");

		if (fixed)
			results->fixed = value->val;
		if (spurious)
			results->spurious = value->val;
		found += fixed + spurious;
	}
	return found == 2;
}

int pf_results_find(const struct btf *kvm, struct pf_results *results)
{
	/* KVM's types come after those of vmlinux. */
	for (__u32 id = btf__type_cnt(kvm) - 1; id; id--) {
		const struct btf_type *type = btf__type_by_id(kvm, id);

		if (btf_is_enum(type) && find_in(kvm, type, results))
			return 0;
	}
	return -ENOENT;
}

int pf_results_read(struct pf_results *results)
{
	struct kvm_btf kvm;
	int err = kvm_btf_load(&kvm);

	if (err)
		return err;
	err = pf_results_find(kvm.btf, results);
	kvm_btf_free(&kvm);
	return err;
}
