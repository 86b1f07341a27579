// SPDX-License-Identifier: GPL-2.0
/*
 * Tells where in the memory of one VM something happens, and where it has memslots. It is loaded only while somebody
 * looks at the map of that VM.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "memmap_block.h"
#include "memslots.bpf.h"
#include "pieces.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define PAGE_SHIFT	12

/* Only the members that are read are declared; their offsets come from the running kernel's BTF. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct kvm_vcpu {
	struct kvm *kvm;
};

union kvm_mmu_notifier_arg {
	unsigned long attributes;
};

struct kvm_gfn_range {
	__u64 start;
	__u64 end;
	union kvm_mmu_notifier_arg arg;
};

struct kvm_memattr_convert_event {
	__u64 gfn_start, gfn_end;
	__u64 attributes;
	__u64 effective_pages;
	__s32 ret;
};
#pragma clang attribute pop

/* KVM's results of faults that end with the page mapped. The collector fills them in. */
const volatile int ret_pf_fixed, ret_pf_spurious;

/* The address of the struct kvm of the VM that is looked at. */
__u64 shown_kvm;

__u64 lost_events;	/* for which there was no memory */
__u64 changes;		/* conversions of that VM */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MEMMAP_BLOCKS);
	__type(key, struct memmap_key);
	__type(value, struct memmap_block);
} blocks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MEMMAP_SLOTS);
	__type(key, __u32);
	__type(value, struct memmap_slot);
} memslots SEC(".maps");

/* The last listing of memslots has left these. */
__u64 generation;
__u32 slot_count;	/* more than MEMMAP_SLOTS: some are left out */

static struct memmap_block *block_of(const struct memmap_key *key)
{
	struct memmap_block *found = bpf_map_lookup_elem(&blocks, key), none = {};

	if (found)
		return found;
	bpf_map_update_elem(&blocks, key, &none, BPF_NOEXIST);
	found = bpf_map_lookup_elem(&blocks, key);
	if (!found)
		__sync_fetch_and_add(&lost_events, 1);
	return found;
}

/* A range in units of the smallest block. */
struct change {
	__u64 start, end;
	__u64 now_ns;
	__u32 attributes;
	__u32 pad;
};

static long change_piece(__u32 i, struct change *change)
{
	struct memmap_block *block;
	struct memmap_key key;
	struct piece piece;

	if (!take_piece(&change->start, change->end, &piece))
		return 1;
	key.gfn = piece.start << MEMMAP_ORDER;
	key.pages = piece.pages << MEMMAP_ORDER;
	block = block_of(&key);
	if (!block)
		return 0;
	block->changed_ns = change->now_ns;
	block->attributes = change->attributes;
	__sync_fetch_and_add(&block->conversions, 1);
	return 0;
}

static int add_change(__u64 gfn_start, __u64 gfn_end, __u64 attributes)
{
	struct change change = {
		.start = gfn_start >> MEMMAP_ORDER,
		.end = (gfn_end + (1 << MEMMAP_ORDER) - 1) >> MEMMAP_ORDER,
		.now_ns = bpf_ktime_get_ns(),
		.attributes = attributes,
	};

	__sync_fetch_and_add(&changes, 1);
	bpf_loop(PIECES_MAX, change_piece, &change, 0);
	return 0;
}

SEC("tp_btf/kvm_memattr_convert")
int BPF_PROG(map_convert, struct kvm *kvm, const struct kvm_memattr_convert_event *ev)
{
	if (!ev || (__u64)kvm != shown_kvm || ev->ret || !ev->effective_pages)
		return 0;
	return add_change(ev->gfn_start, ev->gfn_end, ev->attributes);
}

/* For stock kernels, which call this once per memslot, with the range that was asked for. */
SEC("fentry/kvm_arch_post_set_memory_attributes")
int BPF_PROG(map_convert_stock, struct kvm *kvm, struct kvm_gfn_range *range)
{
	if ((__u64)kvm != shown_kvm)
		return 0;
	return add_change(range->start, range->end, range->arg.attributes);
}

static int add_fault(struct kvm_vcpu *vcpu, __u64 gpa, __u32 level)
{
	struct memmap_key key = {
		.gfn = gpa >> (PAGE_SHIFT + MEMMAP_ORDER) << MEMMAP_ORDER, .pages = 1 << MEMMAP_ORDER,
	};
	struct memmap_block *block;

	if ((__u64)vcpu->kvm != shown_kvm)
		return 0;
	block = block_of(&key);
	if (!block)
		return 0;
	__sync_fetch_and_add(&block->faults, 1);
	block->level = level;
	return 0;
}

SEC("tp_btf/kvm_stage2_fault")
int BPF_PROG(map_fault, struct kvm_vcpu *vcpu, __u64 gpa, __u64 error_code, int level, _Bool prefaulted, int ret)
{
	if (!vcpu || (ret != ret_pf_fixed && ret != ret_pf_spurious))
		return 0;
	return add_fault(vcpu, gpa, level);
}

/* For stock kernels. It comes before KVM knows what it will do about the fault. */
SEC("tp_btf/kvm_page_fault")
int BPF_PROG(map_fault_stock, struct kvm_vcpu *vcpu, __u64 gpa)
{
	return vcpu ? add_fault(vcpu, gpa, 0) : 0;
}

static void at_slot(struct slot_walk *walk, struct kvm_memory_slot___walk *slot)
{
	struct memmap_slot *to = bpf_map_lookup_elem(&memslots, &walk->count);

	if (!to)
		return;
	to->gfn_start = BPF_CORE_READ(slot, base_gfn);
	to->gfn_end = to->gfn_start + BPF_CORE_READ(slot, npages);
	to->id = BPF_CORE_READ(slot, id);
}

/* Lists the memslots of the shown VM when the collector runs it. */
SEC("syscall")
int list_memslots(void *ctx)
{
	struct slot_walk walk = {};
	int err = walk_slots((void *)shown_kvm, &walk);

	generation = walk.generation;
	slot_count = walk.count;
	return err;
}
