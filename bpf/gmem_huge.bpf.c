// SPDX-License-Identifier: GPL-2.0
/*
 * gmem_huge: hugepages where a guest fills its private memory, small pages where it is sparse.
 *
 * For: hosts that load KVM with kvm.gmem_huge_pages=policy, because some guests use little of the
 * memory that they have.
 * Not for: guests that use all of it, for which "always" does the same without asking; and guests that
 * touch memory at random, which get small pages only.
 *
 * KVM asks when the first page of an aligned 2 MiB, a block, is about to be used. The policy takes the
 * whole block if that is what is about to be used, e.g. by KVM_PRE_FAULT_MEMORY, or if most of the
 * block before or after it is there. But all of a block that came as a whole is there, even if the
 * guest has touched a single page. So the policy leaves every sample_blocks-th block to small pages,
 * which shows whether the guest still fills what it gets: where it does not, it gets no more hugepages
 * until the next block that it fills. A block that is filled page by page thus costs at most
 * sample_blocks - 1 blocks too many on either side.
 *
 * What a VM gets is limited by max_blocks, and by what its memory cgroups have room for. It never is
 * more than the size of the VM's guest_memfds.
 */
#include "memattr.bpf.h"

MEMATTR_PARAM(u32, fill_pages, 256, "pages of a neighbor that make it a filled one [1..512 pages]");
MEMATTR_PARAM(u32, sample_blocks, 32, "every so many blocks, one has small pages [2..65536 blocks]");
MEMATTR_PARAM(u64, max_blocks, 0,
	      "blocks of 2 MiB that a VM gets while the policy is attached; 0: no limit [0..1073741824 blocks]");
MEMATTR_PARAM(u64, reserve_pages, 0,
	      "room to leave in the memory cgroups besides KVM's eighth [0..1073741824 pages]");

#define BLOCK_PAGES 512

struct gmem_huge_state {
	u64 wanted;	/* blocks, so far */
	u64 refused;	/* the VM's gmem_huge_refused before the first of them */
};

MEMATTR_VM_STATE(gmem_huge, struct gmem_huge_state);

int MEMATTR_CALLBACK(gmem_huge_vm_attach, struct kvm *kvm)
{
	struct gmem_huge_state vm = { .refused = kvm->memattr_stat.gmem_huge_refused.counter };

	return gmem_huge_add_vm(kvm, &vm);
}

/* Will the guest fill the block? */
static bool gets_filled(const struct kvm_memattr_gmem_block_ctx *block)
{
	if (block->pgoff_end - block->pgoff_start == BLOCK_PAGES)
		return true;
	if (block->block_pgoff / BLOCK_PAGES % sample_blocks == 0)
		return false;
	return block->before_pages >= fill_pages || block->after_pages >= fill_pages;
}

/* Takes one of the VM's max_blocks. Returns false if all of them are taken. */
static bool take_block(struct gmem_huge_state *vm, struct kvm *kvm)
{
	u64 now = kvm->memattr_stat.gmem_huge_refused.counter;
	/* KVM did not find memory for these. Somebody may have reset the statistics. */
	u64 refused = now > vm->refused ? now - vm->refused : 0;
	u64 wanted = __sync_fetch_and_add(&vm->wanted, 1) + 1;

	if (!max_blocks || wanted <= max_blocks + refused)
		return true;
	__sync_fetch_and_sub(&vm->wanted, 1);
	return false;
}

int MEMATTR_CALLBACK(gmem_huge_gmem_block, struct kvm *kvm,
		     const struct kvm_memattr_gmem_block_ctx *block)
{
	struct gmem_huge_state *vm = gmem_huge_vm(kvm);

	if (!vm)
		return -ECANCELED;
	return gets_filled(block) && block->spare_pages >= reserve_pages + BLOCK_PAGES &&
	       take_block(vm, kvm);
}

MEMATTR_OPS(gmem_huge, vm_attach, vm_detach, gmem_block);
