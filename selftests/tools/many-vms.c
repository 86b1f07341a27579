// SPDX-License-Identifier: GPL-2.0
/*
 * Creates as many VMs as it is told, converts one page of each, says so and keeps them until its input
 * ends. More VMs than memattr-top has slots cost little memory this way.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kvm-abi.h"

int main(int argc, char **argv)
{
	int count = argc == 2 ? atoi(argv[1]) : 0;
	const struct rlimit files = { count + 16, count + 16 };
	struct kvm_memory_attributes page = {
		.size = 4096,
		.attributes = KVM_MEMORY_ATTRIBUTE_PRIVATE,
	};
	int kvm;

	if (count <= 0)
		errx(2, "usage: many-vms COUNT");
	if (setrlimit(RLIMIT_NOFILE, &files))
		err(1, "cannot open %d files", count);
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		err(1, "/dev/kvm");
	for (int i = 0; i < count; i++) {
		int vm = ioctl(kvm, KVM_CREATE_VM, KVM_X86_SW_PROTECTED_VM);

		if (vm < 0)
			err(1, "VM %d", i);
		if (ioctl(vm, KVM_SET_MEMORY_ATTRIBUTES, &page))
			err(1, "conversion in VM %d", i);
	}
	printf("%d VMs\n", count);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
