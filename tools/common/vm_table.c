// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "vm_table.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "bpf_maps.h"
#include "diag.h"

int vm_table_open(struct vm_table *t, const struct bpf_map *vms, const struct bpf_map *slots,
		  const struct bpf_map *free_slots, __u32 *epoch)
{
	*t = (struct vm_table){
		.vms = vms,
		.slots = slots,
		.free_slots = free_slots,
		.shared = map_shared(vms),
		.epoch = epoch,
		.debugfs = diag_has(DIAG_DEBUGFS, NULL),
		.watch = -1,
	};
	if (!t->shared)
		return -errno;
	if (t->debugfs)
		t->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (t->watch >= 0 && inotify_add_watch(t->watch, KVM_DEBUGFS, IN_CREATE | IN_DELETE) < 0) {
		close(t->watch);
		t->watch = -1;
	}
	return push_all(free_slots);
}

void vm_table_close(struct vm_table *t)
{
	if (t->vms)
		unmap_shared(t->vms, t->shared);
	if (t->vms && t->watch >= 0)
		close(t->watch);
	vm_list_free(&t->list);
}

/* If the kernel reports when a VM comes or goes, do it only then. If it fails, try again next time. */
void vm_table_list(struct vm_table *t)
{
	struct vm_list list;
	char events[4096];

	if (!t->debugfs)
		return;
	while (t->watch >= 0 && read(t->watch, events, sizeof(events)) > 0)
		t->is_current = false;
	if (t->watch < 0)
		t->is_current = false;
	if (t->is_current || vm_list_read(&list, 0))
		return;
	vm_list_free(&t->list);
	t->list = list;
	t->is_current = true;
}

bool vm_is_same(const struct vm *a, const struct vm *b)
{
	if (a->id && b->id)
		return a->id == b->id;
	return a->creator_tid && a->creator_tid == b->creator_tid && a->fd == b->fd;
}

static const struct vm *listed_vm(const struct vm_table *t, const struct vm *vm)
{
	for (size_t i = 0; i < t->list.count; i++)
		if (vm_is_same(&t->list.vms[i], vm))
			return &t->list.vms[i];
	return NULL;
}

/* Detects a VM's end where the kernel does not report it. */
static bool has_vanished(const struct vm_table *t, const struct vm_owner *owner, const struct vm_slot *shared)
{
	if (t->is_current && (owner->vm.id || owner->vm.creator_tid))
		return !listed_vm(t, &owner->vm);
	return kill(shared->pid, 0) && errno == ESRCH;
}

static void new_epoch(struct vm_table *t)
{
	__atomic_fetch_add(t->epoch, 1, __ATOMIC_SEQ_CST);
}

static void meet(const struct vm_table *t, struct vm_owner *owner, const struct vm_slot *shared)
{
	const struct vm *listed;
	struct vm event;

	*owner = (struct vm_owner){ .birth = shared->birth };
	vm_slot_owner(shared, &event);
	owner->vm = event;
	/* Its process may be gone already, but the VM may have been listed before its first event. */
	listed = listed_vm(t, &event);
	if (!listed || !strcmp(listed->name, "?"))
		return;
	owner->vm = *listed;
	/* The list is without folders of VMs that came while it was read. */
	if (!owner->vm.dir[0]) {
		owner->vm.creator_tid = event.creator_tid;
		memcpy(owner->vm.dir, event.dir, sizeof(event.dir));
	}
}

/* VMs with KVM's numbers go by these, others by thread and descriptor. */
static int compare_owners(const void *a, const void *b)
{
	const struct vm *left = &(*(const struct vm_owner *const *)a)->vm;
	const struct vm *right = &(*(const struct vm_owner *const *)b)->vm;

	if (left->id != right->id)
		return left->id < right->id ? -1 : 1;
	if (left->id)
		return 0;
	if (left->creator_tid != right->creator_tid)
		return left->creator_tid < right->creator_tid ? -1 : 1;
	return (left->fd > right->fd) - (left->fd < right->fd);
}

bool vm_table_has(const struct vm_table *t, const struct vm *vm)
{
	const struct vm_owner key = { .vm = *vm }, *found = &key;

	return bsearch(&found, t->in_order, t->in_order_count, sizeof(*t->in_order), compare_owners);
}

void vm_table_update(struct vm_table *t, bool end_reported)
{
	t->in_order_count = 0;
	for (uint32_t slot = 0; slot < VM_SLOTS; slot++) {
		struct vm_owner *owner = &t->owners[slot];
		struct vm_slot *shared = &t->shared[slot];

		owner->listed = shared->birth;
		if (!owner->listed)
			continue;
		if (owner->birth != shared->birth) {
			meet(t, owner, shared);
			owner->listed = true;
		} else if (!end_reported && !shared->ended && has_vanished(t, owner, shared)) {
			owner->vanished = true;
			bpf_map_delete_elem(bpf_map__fd(t->slots), &shared->kvm);
			new_epoch(t);
			shared->ended = true;
		}
		/* Read this before any count: what is counted in between is in the next snapshot. */
		owner->ended = __atomic_load_n(&shared->ended, __ATOMIC_ACQUIRE);
		t->in_order[t->in_order_count++] = owner;
	}
	qsort(t->in_order, t->in_order_count, sizeof(*t->in_order), compare_owners);
}

void vm_table_release(struct vm_table *t)
{
	for (uint32_t slot = 0; slot < VM_SLOTS; slot++) {
		if (!t->owners[slot].listed || !t->owners[slot].ended)
			continue;
		/* The kernel no longer writes to it. */
		t->owners[slot] = (struct vm_owner){};
		memset(&t->shared[slot], 0, sizeof(t->shared[slot]));
		push(t->free_slots, slot);
		/* CPUs may remember that a VM found no slot. */
		new_epoch(t);
	}
}

void vm_table_identify(struct snapshot_vm *to, const struct vm *vm, uint64_t birth, bool ended)
{
	to->birth = birth;
	to->id = vm->id;
	to->pid = vm->pid;
	to->creator_tid = vm->creator_tid;
	to->fd = vm->fd;
	to->ended = ended;
	memcpy(to->name, vm->name, sizeof(to->name));
	memcpy(to->comm, vm->comm, sizeof(to->comm));
	memcpy(to->cgroup, vm->cgroup, sizeof(to->cgroup));
}

static int compare_process(const void *a, const void *b)
{
	const struct snapshot_vm *left = *(struct snapshot_vm *const *)a, *right = *(struct snapshot_vm *const *)b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

void tell_siblings_apart(struct snapshot *s)
{
	size_t count = s->lists[0].count;
	struct snapshot_vm **vms = calloc(count + 1, sizeof(*vms));

	for (size_t i = 0; vms && i < count; i++)
		vms[i] = snapshot_item(s, 0, i);
	if (vms)
		qsort(vms, count, sizeof(*vms), compare_process);
	for (size_t i = 0; vms && i < count; i++) {
		bool sibling = (i && vms[i - 1]->pid == vms[i]->pid) ||
			       (i + 1 < count && vms[i + 1]->pid == vms[i]->pid);
		size_t len = strnlen(vms[i]->name, VM_NAME_LEN - 12);

		/* Not in the middle of a character. */
		while (len && (vms[i]->name[len] & 0xc0) == 0x80)
			len--;
		if (sibling && vms[i]->fd >= 0 && vms[i]->creator_tid)
			snprintf(vms[i]->name + len, VM_NAME_LEN - len, "#%d", vms[i]->fd);
	}
	free(vms);
}
