// SPDX-License-Identifier: GPL-2.0
/* kfunc_untrusted: iterates over ranges of what a pointer of the VM leads to, which is not a VM. */
#include "memattr.bpf.h"

struct kvm___with_mm {
	void *mm;
} __attribute__((preserve_access_index));

int MEMATTR_CALLBACK(kfunc_untrusted_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	struct kvm *found = ((struct kvm___with_mm *)kvm)->mm;
	union kvm_bpf_attr_range *range;

	bpf_for_each(kvm_attr_range, range, found, request->gfn_start, request->gfn_end)
		return -EPERM;
	return 0;
}

MEMATTR_OPS(kfunc_untrusted, convert);
