/* SPDX-License-Identifier: GPL-2.0 */
/* The descriptors of VMs that processes have. vm.c makes VMs of them. */
#ifndef MEMATTR_VM_FILES_H
#define MEMATTR_VM_FILES_H

#include "vm.h"

struct vm_file {
	uint64_t id;		/* KVM's number of the VM; 0: not known */
	uint64_t kvm;		/* the VM's address in the kernel; 0: not known */
	pid_t pid;
	int fd;
	enum vm_hold hold;
	/* Only if @kvm is known: */
	bool is_vmm;		/* KVM lets this process run the VM */
	pid_t creator_tid;
	char dir[VM_DIR_LEN];	/* the VM's folder in debugfs */
	unsigned int group;	/* the same for all descriptors of a VM; vm.c sets it */
};

struct vm_files {
	struct vm_file *files;
	size_t count;
};

/*
 * Lists the descriptors of all processes that this one may look at, as /proc shows them. @id is
 * known of VMs' and vCPUs' descriptors if the kernel gives VMs numbers. Returns 0 or -errno; an
 * error of @pid, if it is not 0, counts as one, those of others do not.
 */
int vm_files_read(struct vm_files *files, pid_t pid);
void vm_files_free(struct vm_files *files);

/*
 * Asks the kernel for the VM of each, by a BPF program, and sets what only that tells. Returns 0 or
 * -errno: it takes rights, BTF and the host's PID namespace.
 */
int vm_files_resolve(struct vm_files *files);

/* Reads KVM's number of the VM from a descriptor's fdinfo. Returns 0 if it has none. */
uint64_t vm_file_id(pid_t pid, int fd);

#endif
