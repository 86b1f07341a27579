// SPDX-License-Identifier: GPL-2.0
/* kfunc_untrusted: asks about what it has found by following a pointer, and takes that for a VM. */
#include "memattr.bpf.h"

struct kvm___with_mm {
	void *mm;
} __attribute__((preserve_access_index));

int MEMATTR_CALLBACK(kfunc_untrusted_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	struct kvm *found = ((struct kvm___with_mm *)kvm)->mm;

	return kvm_bpf_gfn_attributes(found, request->gfn_start) ? -EPERM : 0;
}

MEMATTR_OPS(kfunc_untrusted, convert);
