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
 * whole block. And not to make memory private, as long as guest_memfd has 4 KiB pages only; this is
 * left out unless asked for.
 */
#include "memattr.bpf.h"

MEMATTR_PARAM(bool, to_private, false, "widen where memory becomes private, too");
MEMATTR_PARAM(bool, huge_1g, false, "up to 1 GiB, where that much becomes uniform");

#define PAGES_2M (1ULL << 9)
#define PAGES_1G (1ULL << 18)

static u64 round_down(u64 gfn, u64 pages)
{
	return gfn & ~(pages - 1);
}

static u64 round_up(u64 gfn, u64 pages)
{
	return round_down(gfn + pages - 1, pages);
}

SEC("struct_ops/zap")
int BPF_PROG(thp_recover_zap, struct kvm *kvm, struct kvm_memattr_zap_ctx *zap)
{
	if ((zap->attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE) && !to_private)
		return 0;

	if (huge_1g && (zap->uniform & KVM_MEMATTR_UNIFORM_HEAD_1G))
		zap->zap_start = round_down(zap->gfn_start, PAGES_1G);
	else if (zap->uniform & KVM_MEMATTR_UNIFORM_HEAD_2M)
		zap->zap_start = round_down(zap->gfn_start, PAGES_2M);

	if (huge_1g && (zap->uniform & KVM_MEMATTR_UNIFORM_TAIL_1G))
		zap->zap_end = round_up(zap->gfn_end, PAGES_1G);
	else if (zap->uniform & KVM_MEMATTR_UNIFORM_TAIL_2M)
		zap->zap_end = round_up(zap->gfn_end, PAGES_2M);
	return 0;
}

MEMATTR_OPS(thp_recover,
	.zap = (void *)thp_recover_zap,
);
