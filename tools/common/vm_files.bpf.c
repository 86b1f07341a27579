// SPDX-License-Identifier: GPL-2.0
/*
 * Lists the descriptors of VMs that processes have, with the VM behind each. /proc does not tell
 * the VM of statistics and guest_memfds, nor any without KVM's numbers.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include "kvm_of_file.bpf.h"
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

struct task_struct {
	int tgid;
	struct mm_struct *mm;
};

struct kvm {
	struct mm_struct *mm;
	int userspace_pid;
	struct dentry *debugfs_dentry;
};
#pragma clang attribute pop

SEC("iter/task_file")
int list_vm_files(struct bpf_iter__task_file *it)
{
	struct vm_file_record record = {};
	struct task_struct *task = it->task;
	struct file *file = it->file;
	struct kvm *kvm;

	kvm = task && file ? kvm_of_file(file) : NULL;
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
