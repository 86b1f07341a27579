// SPDX-License-Identifier: GPL-2.0
/* iter_leak: begins to iterate and never ends it. */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(iter_leak_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	struct bpf_iter_kvm_attr_range it;

	bpf_iter_kvm_attr_range_new(&it, kvm, request->gfn_start, request->gfn_end);
	return bpf_iter_kvm_attr_range_next(&it) ? 0 : -EPERM;
}

MEMATTR_OPS(iter_leak, convert);
