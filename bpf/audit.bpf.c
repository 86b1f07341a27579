// SPDX-License-Identifier: GPL-2.0
/*
 * audit: records conversions that were refused, failed or were large, and policies that left a VM.
 * "memattr-policy audit" prints the record.
 *
 * For: a log of what policies did on a host, and of what happened without one.
 * Not for: recording every conversion on a busy host (min_pages=1), since each event is printed;
 * memattr-top counts them at almost no cost. audit does not stop anything either.
 *
 * audit is not a policy, so that it can watch VMs that have one: its programs run on KVM's
 * tracepoints. Each event is either in the ring, or counted as lost because the ring was full.
 */
#include "memattr.bpf.h"
#include <bpf/bpf_core_read.h>
#include <linux/magic.h>
#include "audit.h"

char LICENSE[] SEC("license") = "GPL";

MEMATTR_PARAM(u64, min_pages, 0,
	      "record conversions that changed at least this many pages; 0: none [0..4503599627370496 pages]");
MEMATTR_PARAM(bool, refused, true,
	      "record requests that a policy refused, and those that failed otherwise");
/* 4 MiB hold some 27000 conversions. memattr-policy sets the size of the ring by it. */
MEMATTR_PARAM(u32, ring_kib, 4096,
	      "what the ring holds until it is printed, rounded up to a power of two [4..1048576 KiB]");

/* Only the members that the programs read. The running kernel's BTF says where they are. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
};

struct task_struct {
	int tgid;
	struct mm_struct *mm;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

/* memattr.bpf.h has the members that policies may read. */
struct kvm___audit {
	struct mm_struct *mm;
	int userspace_pid;
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
} audit_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct audit_control);
} audit_control SEC(".maps");

static struct audit_control *control(void)
{
	u32 first = 0;

	return bpf_map_lookup_elem(&audit_control, &first);
}

static bool is_wanted(struct kvm___audit *kvm)
{
	struct audit_control *c = control();

	return c && (!c->only_kvm || c->only_kvm == (u64)kvm);
}

static void *reserve(u64 size)
{
	void *event = bpf_ringbuf_reserve(&audit_ring, size, 0);
	struct audit_control *c = control();

	if (!event && c)
		__sync_fetch_and_add(&c->lost, 1);
	return event;
}

/* @alive is false when the VM ends, because its debugfs directory is freed by then. */
static void fill_vm(struct audit_vm *vm, struct kvm___audit *kvm, struct task_struct *task, bool alive)
{
	vm->kvm = (u64)kvm;
	vm->creator_tid = BPF_CORE_READ(kvm, userspace_pid);
	vm->pid = BPF_CORE_READ(task, tgid);
	/* A process that ends has no mm left. */
	if (BPF_CORE_READ(task, mm) != BPF_CORE_READ(kvm, mm) && vm->pid != vm->creator_tid)
		vm->pid = 0;
	__builtin_memset(vm->dir, 0, sizeof(vm->dir));
	if (alive)
		bpf_probe_read_kernel_str(vm->dir, sizeof(vm->dir),
					  BPF_CORE_READ(kvm, debugfs_dentry, d_name.name));
}

static void fill_event(struct audit_event *event, u32 kind, struct kvm___audit *kvm, bool alive)
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
int BPF_PROG(audit_convert, struct kvm___audit *kvm, const struct kvm_memattr_convert_event *ev)
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
int BPF_PROG(audit_exit, struct kvm___audit *kvm, const char *policy,
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

/* Lists the VMs by the descriptors that processes have of them. */
SEC("iter/task_file")
int audit_list(struct bpf_iter__task_file *it)
{
	struct audit_vm_fd vm = {};
	char name[sizeof("kvm-vm") + 1] = "";
	struct task_struct *task = it->task;
	struct file *file = it->file;

	if (!task || !file)
		return 0;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	/* Anybody can create a file of that name, but not in this file system. */
	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC ||
	    bpf_strncmp(name, sizeof(name), "kvm-vm"))
		return 0;
	fill_vm(&vm.vm, file->private_data, task, true);
	vm.fd = it->fd;
	bpf_seq_write(it->meta->seq, &vm, sizeof(vm));
	return 0;
}
