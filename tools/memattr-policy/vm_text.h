/* SPDX-License-Identifier: GPL-2.0 */
/* What every command calls a VM. */
#ifndef MEMATTR_VM_TEXT_H
#define MEMATTR_VM_TEXT_H

#include "json.h"
#include "vm.h"

#include <stddef.h>

/* Enough for a VM with its name. */
#define VM_TEXT_LEN 192

/* "VM 4711-12 (web)", or by KVM's number if no process has a descriptor of it. Returns @text. */
const char *vm_text(const struct vm *vm, char text[VM_TEXT_LEN]);

/* The same, or "all VMs" if @vm is NULL. */
const char *scope_text(const struct vm *vm, char text[VM_TEXT_LEN]);

/* The members vm_id, pid, vm_fd and name of an open object. Those that are not known are null. */
void json_vm(struct json *json, const struct vm *vm);

#endif
