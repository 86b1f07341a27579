// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel side of "memattr-policy audit": conversions that were refused, failed or were large,
 * and policies that left a VM. "memattr-policy load --all" uses the latter. Each event is either in
 * the ring, or counted as lost because the ring was full.
 */
#include "memattr.bpf.h"
#include <bpf/bpf_core_read.h>
#include "audit_event.h"

char LICENSE[] SEC("license") = "GPL";

MEMATTR_PARAM(__u64, min_pages, 0,
	      "record conversions that changed at least this many pages; 0: none [0..4503599627370496 pages]");
MEMATTR_PARAM(bool, refused, true,
	      "record requests that a policy refused, and those that failed otherwise");
/* 4 MiB hold some 24000 conversions. memattr-policy sets the size of the ring by it. */
MEMATTR_PARAM(__u32, ring_kib, 4096,
	      "what the ring holds until it is printed, rounded up to a power of two [4..1048576 KiB]");

/* The VM to record, by KVM's number; 0: all. */
const volatile __u64 only_vm_id;

/* Events for which the ring had no room. */
__u64 lost;

/* Only the members that the programs read. The running kernel's BTF says where they are. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct task_struct {
	int tgid;
	struct mm_struct *mm;
	struct task_struct *group_leader;
	char comm[AUDIT_COMM_LEN];
};

/* memattr.bpf.h has the members that policies may read. */
struct kvm___audit {
	struct dentry *debugfs_dentry;
};

struct kvm_memattr_convert_event {
	u64 gfn_start, gfn_end;
	/* These come with conversion in place; older patched kernels do not have it. */
	u64 ino, pgoff_start, pgoff_end;
	u64 attributes;
	u64 effective_pages;
	u64 policy_ns;
	s32 verdict;
	s32 ret;
	char policy[KVM_MEMATTR_NAME_LEN];
};
#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096 * 1024);
} ring SEC(".maps");

static bool is_wanted(const struct kvm *kvm)
{
	return !only_vm_id || kvm->id == only_vm_id;
}

static void *reserve(u64 size)
{
	void *event = bpf_ringbuf_reserve(&ring, size, 0);

	if (!event)
		__sync_fetch_and_add(&lost, 1);
	return event;
}

/* @alive is false when the VM ends, because its debugfs directory is freed by then. */
static void fill_vm(struct audit_vm *vm, struct kvm *kvm, struct task_struct *task, bool alive)
{
	struct kvm___audit *with_dir = (void *)kvm;

	vm->id = kvm->id;
	vm->creator_tid = kvm->userspace_pid;
	vm->pid = BPF_CORE_READ(task, tgid);
	__builtin_memset(vm->comm, 0, sizeof(vm->comm));
	__builtin_memset(vm->dir, 0, sizeof(vm->dir));
	/* A process that ends has no mm left. */
	if (BPF_CORE_READ(task, mm) != kvm->mm && vm->pid != vm->creator_tid)
		vm->pid = 0;
	else
		BPF_CORE_READ_STR_INTO(&vm->comm, task, group_leader, comm);
	if (alive)
		bpf_probe_read_kernel_str(vm->dir, sizeof(vm->dir),
					  BPF_CORE_READ(with_dir, debugfs_dentry, d_name.name));
}

static void fill_event(struct audit_event *event, u32 kind, struct kvm *kvm, bool alive)
{
	event->ns = bpf_ktime_get_ns();
	event->kind = kind;
	event->zero = 0;
	fill_vm(&event->vm, kvm, (void *)bpf_get_current_task(), alive);
}

static void fill_place(struct audit_convert *convert, const struct kvm_memattr_convert_event *ev)
{
	convert->ino = 0;
	convert->pgoff_start = 0;
	convert->pgoff_end = 0;
	if (!bpf_core_field_exists(ev->ino))
		return;
	convert->ino = ev->ino;
	convert->pgoff_start = ev->pgoff_start;
	convert->pgoff_end = ev->pgoff_end;
}

/* The verifier assumes that every argument of a module's tracepoint may be NULL. */
SEC("tp_btf/kvm_memattr_convert")
int BPF_PROG(audit_convert, struct kvm *kvm, const struct kvm_memattr_convert_event *ev)
{
	struct audit_convert *convert;

	if (!kvm || !ev || !is_wanted(kvm))
		return 0;
	if (ev->ret ? !refused : !min_pages || ev->effective_pages < min_pages)
		return 0;

	convert = reserve(sizeof(*convert));
	if (!convert)
		return 0;
	fill_event(&convert->event, AUDIT_CONVERT, kvm, true);
	convert->gfn_start = ev->gfn_start;
	convert->gfn_end = ev->gfn_end;
	fill_place(convert, ev);
	convert->attributes = ev->attributes;
	convert->effective_pages = ev->effective_pages;
	convert->policy_ns = ev->policy_ns;
	convert->verdict = ev->verdict;
	convert->ret = ev->ret;
	bpf_probe_read_kernel_str(convert->policy, sizeof(convert->policy), ev->policy);
	bpf_ringbuf_submit(convert, 0);
	return 0;
}

SEC("tp_btf/kvm_memattr_exit")
int BPF_PROG(audit_exit, struct kvm *kvm, const char *policy,
	     const struct kvm_memattr_exit *why)
{
	struct audit_exit *exit;

	if (!kvm || !why || !is_wanted(kvm))
		return 0;

	exit = reserve(sizeof(*exit));
	if (!exit)
		return 0;
	fill_event(&exit->event, AUDIT_EXIT, kvm, why->kind != KVM_MEMATTR_EXIT_VM_DEATH);
	exit->code = why->code;
	exit->kind = why->kind;
	exit->zero = 0;
	__builtin_memset(exit->policy, 0, sizeof(exit->policy));
	bpf_probe_read_kernel_str(exit->policy, sizeof(exit->policy), policy);
	__builtin_memset(exit->text, 0, sizeof(exit->text));
	bpf_probe_read_kernel_str(exit->text, sizeof(exit->text), why->text);
	bpf_ringbuf_submit(exit, 0);
	return 0;
}
