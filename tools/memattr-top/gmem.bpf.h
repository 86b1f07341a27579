/* SPDX-License-Identifier: GPL-2.0 */
/* The memory that the guest_memfds of each VM hold, as the collector asks for it. No event is needed. */
#ifndef MEMATTR_TOP_GMEM_BPF_H
#define MEMATTR_TOP_GMEM_BPF_H

#include "memslots.bpf.h"
#include "slots.bpf.h"

#define PAGE_SHIFT			12
#define GUEST_MEMFD_FLAG_INIT_SHARED	(1ULL << 1)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct address_space {
	unsigned long nrpages;
};

struct inode {
	__s64 i_size;
	struct address_space *i_mapping;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct kvm_gmem {
	__u64 flags;		/* comes with the series */
};
#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VM_SLOTS);
	__type(key, __u32);
	__type(value, struct top_gmem);
} gmem SEC(".maps");

/* Two memslots may map parts of one file: by inode, in which walk it was counted last. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, GMEM_FILES);
	__type(key, __u64);
	__type(value, __u64);
} gmem_seen SEC(".maps");

__u64 gmem_walks;
_Bool has_gmem;		/* this kernel has guest_memfds */

static _Bool is_first_look(struct inode *inode)
{
	__u64 key = (__u64)inode, walk = gmem_walks, *seen = bpf_map_lookup_elem(&gmem_seen, &key);

	if (seen && *seen == walk)
		return 0;
	bpf_map_update_elem(&gmem_seen, &key, &walk, BPF_ANY);
	return 1;
}

/* Adds the pages that are private if nothing has been converted: only in place does a file say which are. */
static void add_private(struct top_gmem *to, struct kvm_memory_slot___walk *slot, struct file *file, struct inode *inode)
{
	struct kvm_gmem *of_file = BPF_CORE_READ(file, private_data);

	if (!bpf_core_field_exists(slot->gmem.attrs) || !bpf_core_field_exists(of_file->flags) ||
	    !BPF_CORE_READ(slot, gmem.attrs))
		return;
	if (!(BPF_CORE_READ(of_file, flags) & GUEST_MEMFD_FLAG_INIT_SHARED))
		to->private_at_first += BPF_CORE_READ(inode, i_size) >> PAGE_SHIFT;
}

static void at_slot(struct slot_walk *walk, struct kvm_memory_slot___walk *slot)
{
	struct file *file = BPF_CORE_READ(slot, gmem.file);
	struct top_gmem *to = walk->visitor;
	struct inode *inode;
	__u64 pages;

	if (!file)
		return;
	inode = BPF_CORE_READ(file, f_inode);
	pages = BPF_CORE_READ(inode, i_mapping, nrpages);
	/* The VMM may have closed the file meanwhile. */
	if (BPF_CORE_READ(slot, gmem.file) != file || !is_first_look(inode))
		return;
	to->pages += pages;
	add_private(to, slot, file, inode);
}

static long read_gmem(__u32 slot, void *unused)
{
	struct top_gmem *to = bpf_map_lookup_elem(&gmem, &slot), now = {};
	struct vm_slot *vm = bpf_map_lookup_elem(&vms, &slot);
	struct slot_walk walk = { .visitor = &now };
	volatile __u32 *ended;

	if (!to || !vm || !vm->birth || vm->ended)
		return 0;
	ended = &vm->ended;
	now.birth = vm->birth;
	/* If its memslots are being replaced, what was read before is nearer to the truth. */
	if (!walk_slots((void *)vm->kvm, &walk) && !*ended)
		*to = now;
	return 0;
}

/* The collector runs it. */
SEC("syscall")
int read_all_gmem(void *ctx)
{
	has_gmem = bpf_core_field_exists(((struct kvm_memory_slot___walk *)NULL)->gmem);
	if (!has_gmem)
		return 0;
	gmem_walks++;
	bpf_loop(VM_SLOTS, read_gmem, NULL, 0);
	return 0;
}

#endif
