/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMs that events come from, a slot each, which the collector reads through mmap. Shared by BPF and C:
 * expects __u32 and __u64.
 */
#ifndef MEMATTR_VM_SLOTS_H
#define MEMATTR_VM_SLOTS_H

/*
 * Some hosts carry several hundred VMs. VMs beyond it are not counted, their events are (as lost). A power of
 * two: slots are masked.
 */
#define VM_SLOTS	1024

#define TASK_COMM_LEN	16	/* the kernel's */
#define VM_DIR_LEN	24	/* "<tid>-<fd>", two ints at most */

/* BPF fills it when the VM's first event comes, the collector clears it after the VM's end. */
struct vm_slot {
	__u64 birth;		/* 1, 2, ... in order of appearance; 0: slot not in use. Written last */
	__u64 kvm;		/* address of the VM's struct kvm, the key of the slots map */
	__u32 ended;
	__u32 pid;		/* process */
	/* At its end, if the kernel counts them: pages mapped ahead, and those that were not touched. */
	__u64 prefaulted, unused;
	char comm[TASK_COMM_LEN];	/* for when the process is gone before its name was read */
	char dir[VM_DIR_LEN];	/* the VM's folder in debugfs; empty: it has none */
};

#ifndef __bpf__
struct vm;

/* Whose it is. Without a folder in debugfs @vm's fd is not known: -1. */
void vm_slot_owner(const struct vm_slot *slot, struct vm *vm);
#endif

#endif
