// SPDX-License-Identifier: GPL-2.0
#include <linux/types.h>
#include <stdio.h>
#include <string.h>

#include "vm.h"
#include "vm_slots.h"

void vm_slot_owner(const struct vm_slot *slot, struct vm *vm)
{
	*vm = (struct vm){ .pid = vm_process(slot->pid) ?: (pid_t)slot->pid };
	if (sscanf(slot->dir, "%d-%d", &vm->creator_tid, &vm->fd) != 2) {
		vm->creator_tid = 0;
		vm->fd = -1;
	}
	vm_name(vm->pid, vm->name, sizeof(vm->name));
	if (!strcmp(vm->name, "?") && slot->comm[0])
		snprintf(vm->name, sizeof(vm->name), "%.*s", TASK_COMM_LEN, slot->comm);
}
