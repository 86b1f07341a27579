// SPDX-License-Identifier: GPL-2.0
#include "audit_vms.h"

#include <stdio.h>
#include <string.h>

/* VMs that do not fit are looked up in /proc for each event, which takes some 100 us. */
#define MAX_KNOWN 1024

static struct known_vm {
	uint64_t kvm;		/* address of struct kvm; 0: unused */
	struct vm vm;
} known_vms[MAX_KNOWN];

static unsigned int next_known;

static struct known_vm *find(const struct audit_vm *seen)
{
	for (unsigned int i = 0; i < MAX_KNOWN; i++)
		if (known_vms[i].kvm == seen->kvm)
			return &known_vms[i];
	return NULL;
}

static int fd_of(const struct audit_vm *seen)
{
	int tid, fd;

	if (sscanf(seen->dir, "%d-%d", &tid, &fd) != 2 || tid != seen->creator_tid || fd < 0)
		return UNKNOWN_FD;
	return fd;
}

void audit_vms_add(const struct audit_vm *seen, const struct vm *vm)
{
	struct known_vm *known = find(seen);

	if (!known)
		known = &known_vms[next_known++ % MAX_KNOWN];
	known->kvm = seen->kvm;
	known->vm = *vm;
}

const struct vm *audit_vms_find(const struct audit_vm *seen)
{
	struct vm vm = { .pid = seen->pid, .creator_tid = seen->creator_tid, .fd = fd_of(seen) };
	struct known_vm *known = find(seen);

	/* Another VM had the same address before. */
	if (known && known->vm.creator_tid != vm.creator_tid)
		known = NULL;
	if (known && (!vm.pid || vm.pid == known->vm.pid) &&
	    (vm.fd == UNKNOWN_FD || vm.fd == known->vm.fd))
		return &known->vm;

	if (!vm.pid)
		vm.pid = vm_process(vm.creator_tid) ?: vm.creator_tid;
	vm_name(vm.pid, vm.name, sizeof(vm.name));
	audit_vms_add(seen, &vm);
	return &find(seen)->vm;
}
