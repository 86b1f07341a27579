// SPDX-License-Identifier: GPL-2.0
/* kfunc_null: asks about no VM at all. */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(kfunc_null_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	return kvm_bpf_gfn_attributes(NULL, request->gfn_start) ? -EPERM : 0;
}

MEMATTR_OPS(kfunc_null, convert);
