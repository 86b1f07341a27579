// SPDX-License-Identifier: GPL-2.0
/* write_request: turns every conversion into one to private; requests are read-only. */
#include "memattr.bpf.h"

SEC("struct_ops/convert")
int BPF_PROG(write_request_convert, struct kvm *kvm, struct kvm_memattr_convert_ctx *request)
{
	request->attributes = KVM_MEMORY_ATTRIBUTE_PRIVATE;
	return 0;
}

MEMATTR_OPS(write_request,
	.convert = (void *)write_request_convert,
);
