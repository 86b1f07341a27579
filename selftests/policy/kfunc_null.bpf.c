// SPDX-License-Identifier: GPL-2.0
/* kfunc_null: iterates over ranges, and passes no VM. */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(kfunc_null_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	union kvm_bpf_attr_range *range;

	bpf_for_each(kvm_attr_range, range, NULL, request->gfn_start, request->gfn_end)
		return -EPERM;
	return 0;
}

MEMATTR_OPS(kfunc_null, convert);
