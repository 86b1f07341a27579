// SPDX-License-Identifier: GPL-2.0
/* kfunc_null: asks about no VM at all. */
#include "memattr.bpf.h"

SEC("struct_ops/convert")
int BPF_PROG(kfunc_null_convert, struct kvm *kvm, const struct kvm_memattr_convert_ctx *request)
{
	return kvm_bpf_gfn_attributes(NULL, request->gfn_start) ? -EPERM : 0;
}

MEMATTR_OPS(kfunc_null,
	.convert = (void *)kfunc_null_convert,
);
