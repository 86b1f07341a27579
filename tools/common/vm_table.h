/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMs that have slots, and whom they belong to. A snapshot goes through them: vm_table_update() lists the VMs
 * that are in it, the collector reads their figures, and vm_table_release() frees the slots of those that ended.
 */
#ifndef MEMATTR_VM_TABLE_H
#define MEMATTR_VM_TABLE_H

#include <bpf/libbpf.h>
#include <linux/types.h>

#include "snapshot.h"
#include "vm_slots.h"

/* What is known of a slot's VM. */
struct vm_owner {
	uint64_t birth;		/* of the slot's VM when this was filled in; 0: nobody's */
	struct vm vm;
	bool listed;		/* it is in the snapshot that is being made */
	bool ended;		/* and for the last time */
	bool vanished;		/* without a report of the kernel */
};

struct vm_table {
	const struct bpf_map *vms, *slots, *free_slots;
	struct vm_slot *shared;		/* VM_SLOTS of them, shared with the kernel */
	__u32 *epoch;			/* of the BPF programs */
	struct vm_owner owners[VM_SLOTS];
	const struct vm_owner *in_order[VM_SLOTS];	/* those in the snapshot, as vm_table_has() looks for them */
	size_t in_order_count;

	bool debugfs;
	int watch;		/* inotify: readable when a VM came or went; -1: the kernel has no inotify */
	bool is_current;	/* the list below is up to date */
	struct vm_list list;	/* VMs of the host, with slots or without */
};

/* Call this when the maps exist and before the programs are attached. Returns 0 or -errno. */
int vm_table_open(struct vm_table *table, const struct bpf_map *vms, const struct bpf_map *slots,
		  const struct bpf_map *free_slots, __u32 *epoch);
void vm_table_close(struct vm_table *table);

/* Lists the host's VMs if there are others than before. It walks all of /proc. */
void vm_table_list(struct vm_table *table);

/* Lists the VMs with slots. Unless the kernel has reported each VM's end, VMs that vanished are looked for. */
void vm_table_update(struct vm_table *table, bool end_reported);

/* Returns whether the VM has a slot. */
bool vm_table_has(const struct vm_table *table, const struct vm *vm);
void vm_table_release(struct vm_table *table);

/* Fills in who the VM is, and whether it has ended. */
void vm_table_identify(struct snapshot_vm *to, const struct vm *vm, uint64_t birth, bool ended);

bool vm_is_same(const struct vm *a, const struct vm *b);

/* If a process has several VMs, the name alone does not tell them apart: adds a number. */
void tell_siblings_apart(struct snapshot *s);

#endif
