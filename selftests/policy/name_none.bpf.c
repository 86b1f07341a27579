// SPDX-License-Identifier: GPL-2.0
/* A policy whose name is what the kernel and the tools write where there is none. */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(none_convert, struct kvm *kvm, const struct kvm_memattr_convert_ctx *request)
{
	return 0;
}

MEMATTR_OPS(none, convert);
