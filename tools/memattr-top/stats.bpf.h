/* SPDX-License-Identifier: GPL-2.0 */
/* KVM's own statistics: reading them here takes one call for all VMs, and debugfs a dozen files for each. */
#ifndef MEMATTR_TOP_STATS_BPF_H
#define MEMATTR_TOP_STATS_BPF_H

#include <stdbool.h>

#include "kvm_of_file.bpf.h"
#include "slots.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VM_SLOTS);
	__type(key, __u32);
	__type(value, struct top_stats_of_vm);
} stats SEC(".maps");

#define STAT(kvm, member) BPF_CORE_READ(kvm, member.counter)

/* By KVM's number: what VMs had counted when the tool started. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, VM_SLOTS);
	__type(key, __u64);
	__type(value, struct top_stats);
} old_stats SEC(".maps");

_Bool has_memattr_stats;	/* the kernel has those of the series */
_Bool has_gmem_huge_stats;	/* and those of hugepages of guest_memfd */
__u64 last_old_id;	/* of the VMs that were there before the tool; those of later ones are greater */

static void read_stats(struct kvm *kvm, struct top_stats *to)
{
	*to = (struct top_stats){
		.huge_pages = STAT(kvm, stat.pages_2m) + STAT(kvm, stat.pages_1g),
	};
	if (!bpf_core_field_exists(kvm->memattr_stat))
		return;
	to->refused = STAT(kvm, memattr_stat.memattr_refused);
	to->host_refused = STAT(kvm, memattr_stat.memattr_host_refused);
	to->pages_private = STAT(kvm, memattr_stat.memattr_pages_private);
	to->pages_shared = STAT(kvm, memattr_stat.memattr_pages_shared);
	to->zapped_pages = STAT(kvm, memattr_stat.memattr_zapped_pages);
	to->widened_pages = STAT(kvm, memattr_stat.memattr_widened_pages);
	to->policy_calls = STAT(kvm, memattr_stat.memattr_policy_calls);
	to->policy_ns = STAT(kvm, memattr_stat.memattr_policy_ns);
	to->ejections = STAT(kvm, memattr_stat.memattr_ejections);
	to->prefaulted_pages = STAT(kvm, memattr_stat.prefaulted_pages);
	to->prefaulted_unused = STAT(kvm, memattr_stat.prefaulted_unused);
	if (!bpf_core_field_exists(kvm->memattr_stat.gmem_huge_declined))
		return;
	to->gmem_huge_allocated = STAT(kvm, memattr_stat.gmem_huge_allocated);
	to->gmem_huge_refused = STAT(kvm, memattr_stat.gmem_huge_refused);
	to->gmem_huge_declined = STAT(kvm, memattr_stat.gmem_huge_declined);
	to->gmem_huge_splits = STAT(kvm, memattr_stat.gmem_huge_splits);
}

/* Only what has happened since the tool's start counts. The event that gives a VM its slot comes after KVM's counts. */
static void read_first(struct kvm *kvm, __u64 id, struct top_stats *first)
{
	struct top_stats *old = bpf_map_lookup_elem(&old_stats, &id);

	if (!old) {
		read_stats(kvm, first);
		return;
	}
	*first = *old;
	bpf_map_delete_elem(&old_stats, &id);
}

static void vm_begins(struct kvm *kvm, __u32 slot)
{
	struct top_stats_of_vm *of_vm = bpf_map_lookup_elem(&stats, &slot);
	__u64 id = bpf_core_field_exists(kvm->id) ? BPF_CORE_READ(kvm, id) : 0;

	if (!of_vm)
		return;
	of_vm->first = (struct top_stats){};
	/* Everything that a new VM has done counts. */
	if (id <= last_old_id)
		read_first(kvm, id, &of_vm->first);
	of_vm->now = of_vm->first;
}

static void vm_ends(struct kvm *kvm, struct vm_slot *vm, __u32 slot)
{
	struct top_stats_of_vm *of_vm = bpf_map_lookup_elem(&stats, &slot);

	if (of_vm)
		read_stats(kvm, &of_vm->last);
}

static long read_slot(__u32 slot, void *unused)
{
	struct top_stats_of_vm *of_vm = bpf_map_lookup_elem(&stats, &slot);
	struct vm_slot *vm = bpf_map_lookup_elem(&vms, &slot);
	volatile __u32 *ended;
	struct top_stats now;

	if (!of_vm || !vm || !vm->birth || vm->ended)
		return 0;
	ended = &vm->ended;
	read_stats((struct kvm *)vm->kvm, &now);
	/* If the VM has ended, its memory may be something else by now. */
	if (!*ended)
		of_vm->now = now;
	return 0;
}

/* The collector has it run before any event counts. A descriptor keeps its VM. */
SEC("iter/task_file")
int read_old_stats(struct bpf_iter__task_file *it)
{
	struct file *file = it->file;
	struct kvm *kvm = file ? kvm_of_file(file) : NULL;
	struct top_stats now;
	__u64 id;

	if (!kvm || !bpf_core_field_exists(kvm->id))
		return 0;
	id = BPF_CORE_READ(kvm, id);
	read_stats(kvm, &now);
	/* Another descriptor may have been found before, and is as good. */
	bpf_map_update_elem(&old_stats, &id, &now, BPF_NOEXIST);
	return 0;
}

/* The collector runs it. */
SEC("syscall")
int read_all_stats(void *ctx)
{
	has_memattr_stats = bpf_core_field_exists(((struct kvm *)NULL)->memattr_stat);
	has_gmem_huge_stats = bpf_core_field_exists(((struct kvm *)NULL)->memattr_stat.gmem_huge_declined);
	bpf_loop(VM_SLOTS, read_slot, NULL, 0);
	return 0;
}

#endif
