// SPDX-License-Identifier: GPL-2.0
/*
 * thp_recover: brings huge pages back that conversions have broken.
 *
 * For: guests whose shared buffers come and go inside memory that is backed by huge pages.
 * Not for: buffers that are converted to and fro all the time: each round costs the faults of a
 * whole block.
 *
 * While one page of a 2 MiB block differs from the others, KVM maps the block by 4 KiB pages. When
 * the page is converted back, KVM zaps only this page. If the guest then uses only the page's
 * neighbours, their 4 KiB mappings stay. So the policy zaps the whole block when the block becomes
 * uniform. The next touch of any of its pages maps it by a huge page, if the memory behind it is
 * huge. The policy leaves memory that becomes private alone, because guest_memfd has 4 KiB pages
 * only.
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
