// SPDX-License-Identifier: GPL-2.0
#include <linux/types.h>

#include "vm.h"
#include "vm_slots.h"

void vm_slot_owner(const struct vm_slot *slot, struct vm *vm)
{
	vm_of_event(vm, slot->pid, slot->dir, slot->comm);
	vm->id = slot->id;
}
