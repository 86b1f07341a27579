/* SPDX-License-Identifier: GPL-2.0 */
/* The KVM VMs of this host: who they are, and how to get a descriptor of one. */
#ifndef MEMATTR_VM_H
#define MEMATTR_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KVM_DEBUGFS "/sys/kernel/debug/kvm"

#define VM_NAME_LEN 64

struct vm {
	pid_t pid;		/* the process, as ps shows it */
	/*
	 * The thread that created the VM. KVM names the VM's debugfs folder <creator_tid>-<fd> and
	 * keeps the same number in kvm->userspace_pid. 0: found by its fd only, without debugfs.
	 */
	pid_t creator_tid;
	int fd;			/* of the VM, inside the process */
	char name[VM_NAME_LEN];	/* -name or --name of the VMM's command line, else its comm */
};

struct vm_list {
	struct vm *vms;		/* sorted by pid, then fd */
	size_t count;
};

/*
 * Lists the VMs of process @pid, or of all processes if @pid is 0. Reads debugfs and /proc/<pid>/fd; a VM
 * that only one of them shows is in the list, too. Returns 0 or -errno. If there is no VM, it returns 0
 * and the list is empty.
 */
int vm_list_read(struct vm_list *list, pid_t pid);
void vm_list_free(struct vm_list *list);

/*
 * Takes the VM's name from its VMM's command line. @name is always a valid string, "?" if @pid is
 * gone.
 */
void vm_name(pid_t pid, char *name, size_t size);

/* Returns the process of thread @tid, or 0 if there is no such thread. */
pid_t vm_process(pid_t tid);

/* Returns a descriptor of the VM for this process, or -errno. Needs ptrace rights on the VMM. */
int vm_open(const struct vm *vm);

#define VM_POLICY_NAME_LEN	16
#define VM_EXIT_KIND_LEN	16
#define VM_EXIT_TEXT_LEN	128

/* The contents of the VM's memattr_policy file, and its statistics. */
struct vm_policy {
	char policy[VM_POLICY_NAME_LEN];	/* empty: none */
	bool all;				/* a global policy */
	uint32_t link_id;
	uint32_t budget_us;
	uint64_t calls, ns;			/* totals of the VM, as are the next four */
	uint64_t refused;
	uint64_t host_refused;			/* accesses of host processes */
	uint64_t widened_pages;
	uint64_t ejections;
	char exit_policy[VM_POLICY_NAME_LEN];	/* the policy that left last; empty: none has left */
	char exit_kind[VM_EXIT_KIND_LEN];
	int64_t exit_code;
	char exit_text[VM_EXIT_TEXT_LEN];
};

/*
 * Returns 0 or -errno. -ENOENT: the VM is gone. -EOPNOTSUPP: it cannot have a policy, because it has no
 * private memory or because the kernel has no policies.
 */
int vm_policy_read(const struct vm *vm, struct vm_policy *policy);

#endif
