/* SPDX-License-Identifier: GPL-2.0 */
/* What vm_files.bpf.c tells of each descriptor of a VM. */
#ifndef MEMATTR_VM_FILES_RECORD_H
#define MEMATTR_VM_FILES_RECORD_H

#include <linux/types.h>

#define VM_FILES_DIR_LEN 24

struct vm_file_record {
	__u64 kvm;		/* address of struct kvm */
	__s32 pid;
	__s32 fd;
	__s32 creator_tid;	/* the thread that created the VM */
	__u32 is_vmm;		/* truth value: KVM lets this process run the VM */
	char dir[VM_FILES_DIR_LEN];	/* the VM's folder in debugfs; empty: it has none */
};

#endif
