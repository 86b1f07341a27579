// SPDX-License-Identifier: GPL-2.0
/* A policy that is asked and agrees: what it costs is what being asked costs. */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(trivial_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	return 0;
}

int MEMATTR_CALLBACK(trivial_zap, struct kvm *kvm, struct kvm_memattr_zap_ctx *zap)
{
	return 0;
}

MEMATTR_OPS(trivial, convert, zap);
