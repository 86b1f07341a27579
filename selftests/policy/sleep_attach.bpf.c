// SPDX-License-Identifier: GPL-2.0
/* sleep_attach: vm_attach runs under a lock that all VMs need; it must not sleep. */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK_SLEEPABLE(sleep_attach_vm_attach, struct kvm *kvm)
{
	return 0;
}

MEMATTR_OPS(sleep_attach, vm_attach);
