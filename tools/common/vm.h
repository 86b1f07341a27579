/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The KVM VMs of this host: who they are, and how to get a descriptor of one.
 *
 * A VM is known by the number that KVM gives it. The numbers of threads and descriptors, which the
 * name of the VM's folder in debugfs is made of, are reused, and one VM can have many descriptors
 * in many processes.
 */
#ifndef MEMATTR_VM_H
#define MEMATTR_VM_H

#include "vm_name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KVM_DEBUGFS "/sys/kernel/debug/kvm"

/* "<thread>-<fd>", two 32-bit numbers. */
#define VM_DIR_LEN 24

/* Which descriptor keeps the VM alive. What comes first is of most use. */
enum vm_hold {
	VM_HELD_BY_VM,		/* the VM's own */
	VM_HELD_BY_VCPU,	/* a vCPU's */
	VM_HELD_BY_STATS,	/* one of the VM's or a vCPU's statistics */
	VM_HELD_BY_GMEM,	/* a guest_memfd */
	VM_HELD_BY_UNKNOWN,	/* none was found, maybe in a process that cannot be looked at */
};

struct vm {
	uint64_t id;		/* KVM's number, which no other VM ever has; 0: it gives none */
	pid_t pid;		/* the process that has it, as ps shows it; 0: not found */
	/* The thread that created the VM, maybe long ago; kvm->userspace_pid. 0: not known */
	pid_t creator_tid;
	int fd;			/* the descriptor inside the process; -1: not found */
	enum vm_hold hold;	/* of which kind that descriptor is */
	bool vmm_gone;		/* no process that may run the VM has a descriptor of it */
	char dir[VM_DIR_LEN];	/* its folder in debugfs; empty: it has none here */
	char name[VM_NAME_LEN];	/* as vm_name(); with a word on it if @vmm_gone is set */
	char comm[VM_COMM_LEN];		/* these two as vm_comm() and vm_cgroup() */
	char cgroup[VM_CGROUP_LEN];
	unsigned int group;	/* for vm_list_find() */
};

/* One of the descriptors of a VM. */
struct vm_place {
	pid_t pid;
	int fd;
	unsigned int group;	/* that of the VM */
};

struct vm_list {
	struct vm *vms;		/* sorted by pid, then fd */
	size_t count;
	struct vm_place *places;	/* where vm_list_find() looks */
	size_t place_count;
	/* What the list cannot be relied on for, and what would help; NULL: nothing. */
	const char *cause, *next;
};

/*
 * Lists the VMs that process or thread @pid has a descriptor of, or all VMs if @pid is 0. Reads
 * debugfs and /proc/<pid>/fd; a VM that only one of them shows is in the list, too. A VM with
 * several descriptors, in whichever processes, is one VM. Returns 0 or -errno. If there is no VM,
 * it returns 0 and the list is empty.
 */
int vm_list_read(struct vm_list *list, pid_t pid);
void vm_list_free(struct vm_list *list);

/*
 * Finds the VM that a process's descriptor belongs to, whichever kind it is. Returns NULL if it is
 * not a VM's.
 */
const struct vm *vm_list_find(const struct vm_list *list, pid_t pid, int fd);

/*
 * Finds out which VM an event is about by what the kernel told: the thread or process that caused
 * it, the VM's folder in debugfs, which may be empty, and that process's comm, which has
 * VM_COMM_LEN bytes. @vm->id is not set.
 */
void vm_of_event(struct vm *vm, pid_t pid, const char *dir, const char *comm);

/* Says in words what keeps the VM, or returns "" if its VMM has its own descriptor as usual. */
const char *vm_hold_text(const struct vm *vm, char *text, size_t size);

/* Returns the process of thread @tid, or 0 if there is no such thread. */
pid_t vm_process(pid_t tid);

/*
 * Returns a descriptor of the VM for this process, or -errno. Needs ptrace rights on the VMM.
 * -EBADF: no process has the VM's own descriptor. -ESRCH: the VM has ended.
 */
int vm_open(const struct vm *vm);

#define VM_POLICY_NAME_LEN	16
#define VM_EXIT_KIND_LEN	16
#define VM_EXIT_TEXT_LEN	128

/* The VM's policy, why the last one left, and the statistics. */
struct vm_policy {
	char policy[VM_POLICY_NAME_LEN];	/* empty: none */
	bool all;				/* a global policy */
	uint32_t link_id;			/* 0: none */
	uint32_t budget_us;
	bool counted;				/* the six totals are known, by debugfs */
	uint64_t calls, ns;
	uint64_t refused;
	uint64_t host_refused;			/* accesses of host processes */
	uint64_t widened_pages;
	uint64_t ejections;
	char exit_policy[VM_POLICY_NAME_LEN];	/* the policy that left last; empty: none has left */
	char exit_kind[VM_EXIT_KIND_LEN];
	int64_t exit_code;
	char exit_text[VM_EXIT_TEXT_LEN];	/* can be empty without debugfs */
};

/*
 * Reads it from debugfs, or from the fdinfo of the VM's descriptor if the VM has no folder there.
 * Returns 0 or -errno. -ENOENT: the VM is gone. -EOPNOTSUPP: it cannot have a policy, because it
 * has no private memory or because the kernel has no policies. -ENODATA: it has no folder, and no
 * descriptor that could be read.
 */
int vm_policy_read(const struct vm *vm, struct vm_policy *policy);

/* Reads all but the totals from such a text; @prefix is that of the names in it. */
void vm_policy_parse(struct vm_policy *policy, const char *text, const char *prefix);

#endif
