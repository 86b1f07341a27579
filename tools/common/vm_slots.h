/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Each VM that events come from has a slot, which the collector reads through mmap. Shared by BPF and C:
 * expects __u32 and __u64.
 */
#ifndef MEMATTR_VM_SLOTS_H
#define MEMATTR_VM_SLOTS_H

/*
 * Some hosts run several hundred VMs. Events of VMs beyond this limit are counted as lost. The limit is a
 * power of two, because slot numbers are masked.
 */
#define VM_SLOTS	1024

#define TASK_COMM_LEN	16	/* the kernel's */
#define VM_DIR_LEN	24	/* "<tid>-<fd>", two ints at most */

/* BPF fills a slot at the VM's first event; the collector clears it after the VM's end. */
struct vm_slot {
	__u64 birth;		/* 1, 2, ... in order of appearance; 0: slot not in use. Written last */
	__u64 kvm;		/* address of the VM's struct kvm, the key of the slots map */
	__u64 id;		/* KVM's number of the VM; 0: this kernel gives none */
	__u32 ended;
	__u32 pid;		/* process, or the thread that created the VM */
	/*
	 * Set at the VM's end, if the kernel counts them: pages mapped ahead, and those never
	 * touched.
	 */
	__u64 prefaulted, unused;
	char comm[TASK_COMM_LEN];	/* for when the process is gone before its name was read */
	char dir[VM_DIR_LEN];	/* the VM's folder in debugfs; empty: it has none */
};

#ifndef __bpf__
struct vm;

/* Says which VM the slot belongs to. Without a folder in debugfs the VM's fd is not known: -1. */
void vm_slot_owner(const struct vm_slot *slot, struct vm *vm);
#endif

#endif
