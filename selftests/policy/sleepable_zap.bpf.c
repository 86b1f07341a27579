// SPDX-License-Identifier: GPL-2.0
/* sleepable_zap: zap runs under locks; the kernel must not take a program for it that may sleep. */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK_SLEEPABLE(sleepable_zap_zap, struct kvm *kvm, struct kvm_memattr_zap_ctx *zap)
{
	return 0;
}

MEMATTR_OPS(sleepable_zap, zap);
