/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The slots of VMs in BPF. A VM takes a slot at its first event; the collector frees the slot after the VM's
 * end. Include this before a tool's own programs: then the program in this file is attached first, and
 * misses the end of no VM that was counted.
 */
#ifndef MEMATTR_VM_SLOTS_BPF_H
#define MEMATTR_VM_SLOTS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "vm_slots.h"

/* No slot is free. This is stored like a slot, so that the VM's next event need not ask again. */
#define NO_SLOT (~0U)

/* Only the members that are read are declared; their offsets come from the running kernel's BTF. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

typedef struct {
	__s64 counter;
} atomic64_t;

/* It comes with the memattr kernel series. */
struct kvm_vm_memattr_stat {
	atomic64_t memattr_refused;
	atomic64_t memattr_host_refused;
	atomic64_t memattr_pages_private, memattr_pages_shared;
	atomic64_t memattr_zapped_pages, memattr_widened_pages;
	atomic64_t memattr_policy_calls, memattr_policy_ns;
	atomic64_t memattr_ejections;
	atomic64_t prefaulted_pages;
	atomic64_t prefaulted_unused;
	/* Older patched kernels do not have these. */
	atomic64_t gmem_huge_allocated, gmem_huge_refused, gmem_huge_declined, gmem_huge_splits;
};

struct kvm_vm_stat {
	atomic64_t pages_2m, pages_1g;	/* in a union without a name */
};

struct kvm {
	__u64 id;		/* comes with the series, too */
	struct mm_struct *mm;
	int userspace_pid;
	struct dentry *debugfs_dentry;
	struct kvm_vm_stat stat;
	struct kvm_vm_memattr_stat memattr_stat;
};

struct kvm_run {
	__u32 exit_reason;
	union {
		struct {
			__u64 nr;
			__u64 args[6];
		} hypercall;
		struct {
			__u64 gpa;
			__u64 size;
		} memory_fault;
	};
};

struct kvm_vcpu {
	struct kvm *kvm;
	int vcpu_id;
	struct kvm_run *run;
	struct kvm_memory_slot *last_used_slot;
};

struct task_struct {
	int pid;	/* of the thread */
	__u64 start_boottime;
	struct mm_struct *mm;
	struct task_struct *group_leader;
	char comm[TASK_COMM_LEN];
};
#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VM_SLOTS);
	__type(key, __u32);
	__type(value, struct vm_slot);
} vms SEC(".maps");

/* struct kvm * -> slot */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, VM_SLOTS);
	__type(key, __u64);
	__type(value, __u32);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, VM_SLOTS);
	__type(value, __u32);
} free_slots SEC(".maps");

/*
 * Incremented whenever a slot changes hands: what a CPU remembers may belong to another VM at the same
 * address. The CPUs start with 0.
 */
__u32 epoch = 1;

__u64 births;

static __u32 find_slot(__u64 key)
{
	__u32 *slot = bpf_map_lookup_elem(&slots, &key);

	return slot ? *slot : NO_SLOT;
}

/*
 * KVM accepts the ioctls of a VM and its vCPUs from the VM's process only, but those of a
 * guest_memfd from whoever has its descriptor. Then only the thread that created the VM is known.
 */
static void set_owner(struct vm_slot *vm, struct kvm *kvm)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (BPF_CORE_READ(task, mm) != BPF_CORE_READ(kvm, mm)) {
		vm->pid = BPF_CORE_READ(kvm, userspace_pid);
		vm->comm[0] = '\0';
		return;
	}
	vm->pid = bpf_get_current_pid_tgid() >> 32;
	BPF_CORE_READ_STR_INTO(&vm->comm, task, group_leader, comm);
}

/* The tool defines these: they keep what it wants of a VM while its statistics can be read. */
static void vm_begins(struct kvm *kvm, __u32 slot);
static void vm_ends(struct kvm *kvm, struct vm_slot *vm, __u32 slot);

static __u32 add_slot(struct kvm *kvm)
{
	__u64 key = (__u64)kvm;
	struct vm_slot *vm;
	__u32 slot;

	if (bpf_map_pop_elem(&free_slots, &slot))
		return NO_SLOT;
	vm = bpf_map_lookup_elem(&vms, &slot);
	if (!vm)
		return NO_SLOT;

	vm->kvm = key;
	vm->id = bpf_core_field_exists(kvm->id) ? BPF_CORE_READ(kvm, id) : 0;
	set_owner(vm, kvm);
	vm_begins(kvm, slot);
	bpf_probe_read_kernel_str(&vm->dir, sizeof(vm->dir),
				  BPF_CORE_READ(kvm, debugfs_dentry, d_name.name));
	if (bpf_map_update_elem(&slots, &key, &slot, BPF_NOEXIST)) {
		/* Another CPU has just had an event of the same VM. */
		bpf_map_push_elem(&free_slots, &slot, 0);
		return find_slot(key);
	}
	vm->birth = __sync_fetch_and_add(&births, 1) + 1;
	return slot;
}

static inline __u32 slot_of(struct kvm *kvm)
{
	__u32 slot = find_slot((__u64)kvm);

	return slot == NO_SLOT ? add_slot(kvm) : slot;
}

/* The last reference is gone: this VM has no more events, and its address may be used again. */
SEC("fentry/kvm_arch_destroy_vm")
int BPF_PROG(end_vm, struct kvm *kvm)
{
	__u64 key = (__u64)kvm;
	__u32 slot = find_slot(key);
	struct vm_slot *vm = bpf_map_lookup_elem(&vms, &slot);

	if (!vm)
		return 0;
	bpf_map_delete_elem(&slots, &key);
	__sync_fetch_and_add(&epoch, 1);
	vm_ends(kvm, vm, slot);
	vm->ended = 1;
	return 0;
}

#endif
