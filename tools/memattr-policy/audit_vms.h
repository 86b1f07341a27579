/* SPDX-License-Identifier: GPL-2.0 */
/* Which VM an audited event is about. */
#ifndef MEMATTR_AUDIT_VMS_H
#define MEMATTR_AUDIT_VMS_H

#include "vm.h"
#include "../../bpf/audit.h"

#define UNKNOWN_FD -1

/* Remembers a VM; of an older one at the same address nothing is left. */
void audit_vms_add(const struct audit_vm *seen, const struct vm *vm);

/*
 * Who that is, and what it is called: from the event, from events before, or from /proc. The
 * descriptor can be UNKNOWN_FD, and the pid that of a thread if its process is gone.
 */
const struct vm *audit_vms_find(const struct audit_vm *seen);

#endif
