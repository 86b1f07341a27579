/* SPDX-License-Identifier: GPL-2.0 */
/* Finds out which VM an audited event is about. */
#ifndef MEMATTR_AUDIT_VMS_H
#define MEMATTR_AUDIT_VMS_H

#include "audit_event.h"
#include "vm.h"

/* Remembers who the VMs of the list are, for when they have ended. */
void audit_vms_remember(const struct vm_list *list);

/*
 * Returns the VM and its name, as known from earlier events, from /proc, or from the event. Its
 * descriptor is -1 if it is not known, and its pid is that of a thread if the process is gone.
 * Valid until the next call.
 */
const struct vm *audit_vms_find(const struct audit_vm *seen);

#endif
