// SPDX-License-Identifier: GPL-2.0
#include "audit_vms.h"

#include <string.h>

/* By KVM's number, which counts up: as many VMs in a row have places of their own. */
#define MAX_KNOWN 1024

static struct vm known_vms[MAX_KNOWN];

static struct vm *place_of(uint64_t id)
{
	return &known_vms[id % MAX_KNOWN];
}

void audit_vms_remember(const struct vm_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		*place_of(list->vms[i].id) = list->vms[i];
}

/* Looks for the descriptor that the process has of the VM, which the folder does not tell. */
static bool find_in_process(const struct audit_vm *seen, struct vm *vm)
{
	struct vm_list list;
	bool found = false;

	if (!seen->pid || vm_list_read(&list, seen->pid))
		return false;
	for (size_t i = 0; i < list.count; i++) {
		if (list.vms[i].id != seen->id)
			continue;
		*vm = list.vms[i];
		found = true;
	}
	vm_list_free(&list);
	return found;
}

const struct vm *audit_vms_find(const struct audit_vm *seen)
{
	static struct vm unknown;
	struct vm *place = place_of(seen->id);

	if (place->id == seen->id)
		return place;
	if (seen->dir[0])
		vm_of_event(place, seen->pid ?: seen->creator_tid, seen->dir, seen->comm);
	else if (!find_in_process(seen, place)) {
		/* It is being created or has ended: the next event may know more. */
		vm_of_event(&unknown, seen->pid ?: seen->creator_tid, "", seen->comm);
		unknown.id = seen->id;
		return &unknown;
	}
	place->id = seen->id;
	return place;
}
