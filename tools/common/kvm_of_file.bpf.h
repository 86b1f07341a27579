/* SPDX-License-Identifier: GPL-2.0 */
/* The VM behind a descriptor, in programs that go through the files of all tasks. */
#ifndef MEMATTR_KVM_OF_FILE_BPF_H
#define MEMATTR_KVM_OF_FILE_BPF_H

#include <linux/magic.h>

#define FILE_NAME_LEN 16

/* What follows "___" is for us: whoever includes this may declare other members of the same structs. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct qstr___of_file {
	const unsigned char *name;
};

struct dentry___of_file {
	struct qstr___of_file d_name;
};

struct path___of_file {
	struct dentry___of_file *dentry;
};

struct super_block {
	unsigned long s_magic;
};

struct inode___of_file {
	struct super_block *i_sb;
};

struct file___of_file {
	struct path___of_file f_path;
	struct inode___of_file *f_inode;
	void *private_data;
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

struct kvm_vcpu___of_file {
	struct kvm *kvm;
};

struct kvm_gmem___of_file {
	struct kvm *kvm;
};
#pragma clang attribute pop

static bool is_name(const char *name, const char *expected, __u32 len)
{
	return !bpf_strncmp(name, len, expected);
}

/* Anybody can create a file of such a name, but not in this file system. */
static struct kvm *kvm_of_file(struct file *opened)
{
	struct file___of_file *file = (void *)opened;
	void *data = BPF_CORE_READ(file, private_data);
	char name[FILE_NAME_LEN] = "";

	if (!data || BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
		return NULL;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	if (is_name(name, "kvm-vm", FILE_NAME_LEN) || is_name(name, "kvm-vm-stats", FILE_NAME_LEN))
		return data;
	/* "kvm-vcpu:3", "kvm-vcpu-stats:3" */
	if (is_name(name, "kvm-vcpu", sizeof("kvm-vcpu") - 1))
		return BPF_CORE_READ((struct kvm_vcpu___of_file *)data, kvm);
	if (is_name(name, "[kvm-gmem]", FILE_NAME_LEN))
		return BPF_CORE_READ((struct kvm_gmem___of_file *)data, kvm);
	return NULL;
}

#endif
