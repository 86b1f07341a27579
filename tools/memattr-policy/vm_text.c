// SPDX-License-Identifier: GPL-2.0
#include "vm_text.h"

#include <inttypes.h>
#include <stdio.h>

const char *vm_text(const struct vm *vm, char text[VM_TEXT_LEN])
{
	if (vm->pid && vm->fd >= 0)
		snprintf(text, VM_TEXT_LEN, "VM %d-%d (%s)", vm->pid, vm->fd, vm->name);
	else if (vm->pid)
		snprintf(text, VM_TEXT_LEN, "VM %d (%s)", vm->pid, vm->name);
	else
		snprintf(text, VM_TEXT_LEN, "VM number %" PRIu64 " (%s)", vm->id, vm->name);
	return text;
}

const char *scope_text(const struct vm *vm, char text[VM_TEXT_LEN])
{
	if (vm)
		return vm_text(vm, text);
	snprintf(text, VM_TEXT_LEN, "all VMs");
	return text;
}

static void json_known(struct json *json, const char *key, uint64_t value, bool known)
{
	if (known)
		json_u64(json, key, value);
	else
		json_null(json, key);
}

void json_vm(struct json *json, const struct vm *vm)
{
	json_known(json, "vm_id", vm->id, vm->id);
	json_known(json, "pid", vm->pid, vm->pid);
	json_known(json, "vm_fd", vm->fd, vm->fd >= 0);
	json_string(json, "name", vm->name);
}
