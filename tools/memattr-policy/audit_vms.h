/* SPDX-License-Identifier: GPL-2.0 */
/* Finds out which VM an audited event is about. */
#ifndef MEMATTR_AUDIT_VMS_H
#define MEMATTR_AUDIT_VMS_H

#include "vm.h"
#include "../../bpf/audit.h"

#define UNKNOWN_FD -1

/* Remembers a VM, and forgets an older one at the same address. */
void audit_vms_add(const struct audit_vm *seen, const struct vm *vm);

/*
 * Returns the VM and its name, as known from the event, from earlier events, or from /proc. Its
 * descriptor can be UNKNOWN_FD, and its pid that of a thread if the process is gone.
 */
const struct vm *audit_vms_find(const struct audit_vm *seen);

#endif
