// SPDX-License-Identifier: GPL-2.0
/*
 * asks: counts calls of zap, and how many of them come while KVM invalidates mappings of the VM. vCPUs
 * that fault on these mappings retry until zap has returned. The counts are in its .bss.
 *
 * For: tests of when KVM asks a policy.
 */
#include "memattr.bpf.h"
#include <bpf/bpf_core_read.h>

/* memattr.bpf.h has only what policies may read. */
struct kvm___asks {
	unsigned long mmu_invalidate_in_progress;
} __attribute__((preserve_access_index));

u64 zap_calls;
u64 zap_calls_in_invalidation;

int MEMATTR_CALLBACK(asks_zap, struct kvm *kvm, struct kvm_memattr_zap_ctx *zap)
{
	struct kvm___asks *vm = (void *)kvm;
	unsigned long in_progress;

	__sync_fetch_and_add(&zap_calls, 1);
	/* A member that cannot be read is a failure, too. */
	if (bpf_core_read(&in_progress, sizeof(in_progress), &vm->mmu_invalidate_in_progress) ||
	    in_progress)
		__sync_fetch_and_add(&zap_calls_in_invalidation, 1);
	return 0;
}

MEMATTR_OPS(asks, zap);
