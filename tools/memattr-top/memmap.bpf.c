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
#include "pieces.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define PAGE_SHIFT	12
#define KVM_MEM_SLOTS_HASH_BITS	7
/* No VM has more memslots. */
#define MEMMAP_SLOTS_MAX	32767

/* Only the members that are read are declared; their offsets come from the running kernel's BTF. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct kvm_memory_slot {
	struct hlist_node id_node[2];
	__u64 base_gfn;
	unsigned long npages;
	short id;
};

struct kvm_memslots {
	__u64 generation;
	struct hlist_head id_hash[1 << KVM_MEM_SLOTS_HASH_BITS];
	int node_idx;
};

struct kvm {
	struct kvm_memslots *memslots[1];
};

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

/* A walk through the hash of memslots, bucket by bucket. */
struct walk {
	struct kvm_memslots *memslots;
	struct hlist_node *node;	/* NULL: the bucket has no more */
	__u64 node_offset;		/* of the node in a memslot */
	__u32 bucket;			/* the next one */
	__u32 count;
};

static void list_slot(__u32 at, struct kvm_memory_slot *slot)
{
	struct memmap_slot *to = bpf_map_lookup_elem(&memslots, &at);

	if (!to)
		return;
	to->gfn_start = BPF_CORE_READ(slot, base_gfn);
	to->gfn_end = to->gfn_start + BPF_CORE_READ(slot, npages);
	to->id = BPF_CORE_READ(slot, id);
}

static struct hlist_node *first_node(struct kvm_memslots *memslots, __u32 bucket)
{
	struct hlist_head *heads = (void *)memslots + bpf_core_field_offset(memslots->id_hash);

	return BPF_CORE_READ(heads + bucket, first);
}

static long walk_on(__u32 i, struct walk *walk)
{
	struct hlist_node *node = walk->node;

	if (node) {
		list_slot(walk->count++, (void *)node - walk->node_offset);
		walk->node = BPF_CORE_READ(node, next);
		return 0;
	}
	if (walk->bucket == 1 << KVM_MEM_SLOTS_HASH_BITS)
		return 1;
	walk->node = first_node(walk->memslots, walk->bucket++);
	return 0;
}

/*
 * Lists the memslots of the shown VM, but those of system management mode, when the collector runs it. Nothing keeps
 * KVM from replacing them meanwhile. Then the addresses that are read may have been freed, which does no harm, but
 * what was found is useless.
 */
SEC("syscall")
int list_memslots(void *ctx)
{
	struct kvm *kvm = (void *)shown_kvm;
	struct kvm_memslots *active = BPF_CORE_READ(kvm, memslots[0]);
	struct walk walk = { .memslots = active };
	struct kvm_memory_slot *none = NULL;

	if (!active)
		return -ENOENT;
	walk.node_offset = bpf_core_field_offset(none->id_node);
	if (BPF_CORE_READ(active, node_idx))
		walk.node_offset += bpf_core_type_size(struct hlist_node);
	generation = BPF_CORE_READ(active, generation);
	bpf_loop((1 << KVM_MEM_SLOTS_HASH_BITS) + MEMMAP_SLOTS_MAX, walk_on, &walk, 0);
	slot_count = walk.count;
	if (BPF_CORE_READ(kvm, memslots[0]) != active || BPF_CORE_READ(active, generation) != generation)
		return -EAGAIN;
	return 0;
}
