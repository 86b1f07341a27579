// SPDX-License-Identifier: GPL-2.0
/* A policy that is asked and agrees: what it costs is what being asked costs. */
#include "memattr.bpf.h"

SEC("struct_ops/convert")
int BPF_PROG(trivial_convert, struct kvm *kvm, const struct kvm_memattr_convert_ctx *request)
{
	return 0;
}

SEC("struct_ops/zap")
int BPF_PROG(trivial_zap, struct kvm *kvm, struct kvm_memattr_zap_ctx *zap)
{
	return 0;
}

MEMATTR_OPS(trivial,
	.convert = (void *)trivial_convert,
	.zap = (void *)trivial_zap,
);
