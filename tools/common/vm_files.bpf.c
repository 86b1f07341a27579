// SPDX-License-Identifier: GPL-2.0
/*
 * Lists the descriptors of VMs that processes have, with the VM behind each. /proc does not tell
 * the VM of statistics and guest_memfds, nor any without KVM's numbers.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/magic.h>

#include "vm_files_record.h"

char LICENSE[] SEC("license") = "GPL";

/* Only the members that are read. The running kernel's BTF says where they are. */
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
	__u32 fd;
	struct file *file;
};

struct kvm {
	struct mm_struct *mm;
	int userspace_pid;
	struct dentry *debugfs_dentry;
};

struct kvm_vcpu {
	struct kvm *kvm;
};

struct kvm_gmem {
	struct kvm *kvm;
};
#pragma clang attribute pop

#define NAME_LEN 16

static bool is_name(const char *name, const char *expected, __u32 len)
{
	return !bpf_strncmp(name, len, expected);
}

/* Anybody can create a file of such a name, but not in this file system. */
static struct kvm *kvm_of(struct file *file)
{
	void *data = BPF_CORE_READ(file, private_data);
	char name[NAME_LEN] = "";

	if (!data || BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
		return NULL;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	if (is_name(name, "kvm-vm", NAME_LEN) || is_name(name, "kvm-vm-stats", NAME_LEN))
		return data;
	/* "kvm-vcpu:3", "kvm-vcpu-stats:3" */
	if (is_name(name, "kvm-vcpu", sizeof("kvm-vcpu") - 1))
		return BPF_CORE_READ((struct kvm_vcpu *)data, kvm);
	if (is_name(name, "[kvm-gmem]", NAME_LEN))
		return BPF_CORE_READ((struct kvm_gmem *)data, kvm);
	return NULL;
}

SEC("iter/task_file")
int list_vm_files(struct bpf_iter__task_file *it)
{
	struct vm_file_record record = {};
	struct task_struct *task = it->task;
	struct file *file = it->file;
	struct kvm *kvm;

	kvm = task && file ? kvm_of(file) : NULL;
	if (!kvm)
		return 0;
	record.kvm = (__u64)kvm;
	record.pid = BPF_CORE_READ(task, tgid);
	record.fd = it->fd;
	record.creator_tid = BPF_CORE_READ(kvm, userspace_pid);
	record.is_vmm = BPF_CORE_READ(task, mm) == BPF_CORE_READ(kvm, mm);
	bpf_probe_read_kernel_str(record.dir, sizeof(record.dir),
				  BPF_CORE_READ(kvm, debugfs_dentry, d_name.name));
	bpf_seq_write(it->meta->seq, &record, sizeof(record));
	return 0;
}
