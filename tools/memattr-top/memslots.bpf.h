/* SPDX-License-Identifier: GPL-2.0 */
/* A walk through the memslots of a VM, but those of system management mode. */
#ifndef MEMATTR_TOP_MEMSLOTS_BPF_H
#define MEMATTR_TOP_MEMSLOTS_BPF_H

#include <linux/errno.h>

#define KVM_MEM_SLOTS_HASH_BITS	7
/* No VM has more memslots. */
#define MEMSLOTS_MAX		32767

/*
 * Only the members that are read are declared; their offsets come from the running kernel's BTF. What follows "___" is
 * for us: other headers declare other members of the same structs.
 */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct kvm_memory_slot___walk {
	struct hlist_node id_node[2];
	__u64 base_gfn;
	unsigned long npages;
	short id;
	struct {
		struct file *file;
		struct kvm_attr_map *attrs;	/* comes with the memattr series */
	} gmem;
};

struct kvm_memslots {
	__u64 generation;
	struct hlist_head id_hash[1 << KVM_MEM_SLOTS_HASH_BITS];
	int node_idx;
};

struct kvm___walk {
	struct kvm_memslots *memslots[1];
};
#pragma clang attribute pop

/* It goes through the hash of memslots, bucket by bucket. */
struct slot_walk {
	struct kvm_memslots *memslots;
	struct hlist_node *node;	/* NULL: the bucket has no more */
	__u64 node_offset;		/* of the node in a memslot */
	__u64 generation;
	__u32 bucket;			/* the next one */
	__u32 count;			/* memslots so far */
	void *visitor;			/* what at_slot() works on */
};

/* Whoever includes this defines what to do with each memslot. */
static void at_slot(struct slot_walk *walk, struct kvm_memory_slot___walk *slot);

static struct hlist_node *first_node(struct kvm_memslots *memslots, __u32 bucket)
{
	struct hlist_head *heads = (void *)memslots + bpf_core_field_offset(memslots->id_hash);

	return BPF_CORE_READ(heads + bucket, first);
}

static long walk_on(__u32 i, struct slot_walk *walk)
{
	struct hlist_node *node = walk->node;

	if (node) {
		at_slot(walk, (void *)node - walk->node_offset);
		walk->count++;
		walk->node = BPF_CORE_READ(node, next);
		return 0;
	}
	if (walk->bucket == 1 << KVM_MEM_SLOTS_HASH_BITS)
		return 1;
	walk->node = first_node(walk->memslots, walk->bucket++);
	return 0;
}

/*
 * Returns 0, or -ENOENT: the VM has gone. Nothing keeps KVM from replacing memslots meanwhile. Then the addresses that
 * are read may have been freed, which does no harm, but what was found is useless: -EAGAIN.
 */
static int walk_slots(struct kvm___walk *vm, struct slot_walk *walk)
{
	struct kvm_memslots *active = BPF_CORE_READ(vm, memslots[0]);
	struct kvm_memory_slot___walk *none = NULL;

	if (!active)
		return -ENOENT;
	walk->memslots = active;
	walk->node_offset = bpf_core_field_offset(none->id_node);
	if (BPF_CORE_READ(active, node_idx))
		walk->node_offset += bpf_core_type_size(struct hlist_node);
	walk->generation = BPF_CORE_READ(active, generation);
	bpf_loop((1 << KVM_MEM_SLOTS_HASH_BITS) + MEMSLOTS_MAX, walk_on, walk, 0);
	if (BPF_CORE_READ(vm, memslots[0]) != active || BPF_CORE_READ(active, generation) != walk->generation)
		return -EAGAIN;
	return 0;
}

#endif
