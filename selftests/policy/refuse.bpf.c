// SPDX-License-Identifier: GPL-2.0
/*
 * refuse: refuses all conversions.
 *
 * For: tests of whether there is a moment without a policy.
 */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(refuse_convert, struct kvm *kvm, const struct kvm_memattr_convert_ctx *request)
{
	return -EPERM;
}

MEMATTR_OPS(refuse, convert);
