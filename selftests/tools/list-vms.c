// SPDX-License-Identifier: GPL-2.0
/*
 * Lists the VMs of this host, or of a process, as all tools see them, one a line:
 *	PID-FD id NUMBER|none dir FOLDER|none creator TID held VM|VCPU|STATS|GMEM|UNKNOWN gone|there NAME
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm.h"

static void print_vm(const struct vm *vm)
{
	static const char *const holds[] = { "VM", "VCPU", "STATS", "GMEM", "UNKNOWN" };

	printf("%d-%d id ", vm->pid, vm->fd);
	if (vm->id)
		printf("%" PRIu64, vm->id);
	else
		printf("none");
	printf(" dir %s creator %d held %s %s %s\n", vm->dir[0] ? vm->dir : "none", vm->creator_tid,
	       holds[vm->hold], vm->vmm_gone ? "gone" : "there", vm->name);
}

int main(int argc, char **argv)
{
	struct vm_list list;
	int err;

	err = vm_list_read(&list, argc > 1 ? atoi(argv[1]) : 0);
	if (err) {
		fprintf(stderr, "vm_list_read: %s\n", strerror(-err));
		return 1;
	}
	if (list.cause)
		fprintf(stderr, "%s\n", list.cause);
	for (size_t i = 0; i < list.count; i++)
		print_vm(&list.vms[i]);
	vm_list_free(&list);
	return 0;
}
