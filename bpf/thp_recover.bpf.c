// SPDX-License-Identifier: GPL-2.0
/*
 * thp_recover: brings huge pages back that conversions have broken.
 *
 * While one page of a 2 MiB block differs from the others, KVM maps the block by 4 KiB pages. When
 * the page is converted back, KVM zaps this page only. A huge page comes back when the guest touches
 * it; if it goes on to use its neighbours only, their 4 KiB mappings stay for good. This policy has
 * the whole block zapped when the block becomes uniform: the next touch of any of its pages maps it
 * by a huge page again, if the memory behind it is huge.
 *
 * Use it for guests whose shared buffers come and go inside of memory that is backed by huge pages.
 * Not for buffers that are converted to and fro all the time: each round then costs the faults of a
 * whole block. Zaps of memory that becomes private are left alone: guest_memfd has 4 KiB pages only.
 */
#include "memattr.bpf.h"

#define PAGES_2M (1ULL << 9)

int MEMATTR_CALLBACK(thp_recover_zap, struct kvm *kvm, struct kvm_memattr_zap_ctx *zap)
{
	if (zap->attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE)
		return 0;

	if (zap->uniform & KVM_MEMATTR_UNIFORM_HEAD_2M)
		zap->zap_start = zap->gfn_start & ~(PAGES_2M - 1);

	if (zap->uniform & KVM_MEMATTR_UNIFORM_TAIL_2M)
		zap->zap_end = (zap->gfn_end + PAGES_2M - 1) & ~(PAGES_2M - 1);
	return 0;
}

MEMATTR_OPS(thp_recover, zap);
