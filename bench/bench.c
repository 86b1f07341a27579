// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t median(uint64_t *numbers, int count)
{
	qsort(numbers, count, sizeof(*numbers), compare);
	return numbers[count / 2];
}

int create_vm(void)
{
	int kvm_fd = open("/dev/kvm", O_RDWR), vm_fd;

	if (kvm_fd < 0)
		err(1, "/dev/kvm");
	vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, KVM_X86_SW_PROTECTED_VM);
	if (vm_fd < 0)
		err(1, "cannot create a software-protected VM");
	close(kvm_fd);
	return vm_fd;
}

void add_memslot(int vm_fd, int slot, uint64_t gpa, uint64_t bytes, uint64_t private_bytes)
{
	struct kvm_create_guest_memfd create = { .size = private_bytes };
	struct kvm_userspace_memory_region2 region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = bytes,
	};
	const uint64_t align = 1ull << 30;
	void *shared;

	/* Aligned as the guest's addresses, else huge pages are out of the question. */
	shared = mmap(NULL, bytes + align, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shared == MAP_FAILED)
		err(1, "mmap");
	region.userspace_addr = ((uintptr_t)shared + align - 1) & ~(align - 1);
	if (private_bytes) {
		region.flags = KVM_MEM_GUEST_MEMFD;
		region.guest_memfd = ioctl(vm_fd, KVM_CREATE_GUEST_MEMFD, &create);
		if ((int)region.guest_memfd < 0)
			err(1, "cannot create guest_memfd");
	}
	if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION2, &region))
		err(1, "cannot set a memslot of %llu bytes", (unsigned long long)bytes);
}

uint64_t set_attributes(int vm_fd, uint64_t gpa, uint64_t bytes, uint64_t attributes)
{
	struct kvm_memory_attributes request = {
		.address = gpa,
		.size = bytes,
		.attributes = attributes,
	};
	uint64_t start = now_ns();

	if (ioctl(vm_fd, KVM_SET_MEMORY_ATTRIBUTES, &request))
		err(1, "KVM_SET_MEMORY_ATTRIBUTES");
	return now_ns() - start;
}

int create_vcpu(int vm_fd)
{
	int vcpu_fd = ioctl(vm_fd, KVM_CREATE_VCPU, 0);

	if (vcpu_fd < 0)
		err(1, "KVM_CREATE_VCPU");
	return vcpu_fd;
}

uint64_t pre_fault(int vcpu_fd, uint64_t gpa, uint64_t bytes)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = bytes };
	uint64_t start = now_ns();

	while (range.size) {
		if (ioctl(vcpu_fd, KVM_PRE_FAULT_MEMORY, &range))
			err(1, "KVM_PRE_FAULT_MEMORY");
	}
	return now_ns() - start;
}
