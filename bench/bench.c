// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <sys/ioctl.h>

#include "bench.h"
#include "testvm.h"

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

void add_memslot(int vm_fd, int slot, uint64_t gpa, uint64_t bytes, uint64_t private_bytes)
{
	set_memslot(vm_fd, slot, gpa, bytes, map_memory(gpa, bytes),
		    private_bytes ? create_gmem(vm_fd, private_bytes) : -1);
}

/* These two call KVM directly, so that nothing else is measured. */
uint64_t set_attributes_ns(int vm_fd, uint64_t gpa, uint64_t bytes, uint64_t attributes)
{
	struct kvm_memory_attributes request = {
		.address = gpa,
		.size = bytes,
		.attributes = attributes,
	};
	uint64_t start = now_ns();

	if (ioctl(vm_fd, KVM_SET_MEMORY_ATTRIBUTES, &request))
		failed("KVM_SET_MEMORY_ATTRIBUTES");
	return now_ns() - start;
}

uint64_t pre_fault_ns(int vcpu_fd, uint64_t gpa, uint64_t bytes)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = bytes };
	uint64_t start = now_ns();

	while (range.size) {
		if (ioctl(vcpu_fd, KVM_PRE_FAULT_MEMORY, &range))
			failed("KVM_PRE_FAULT_MEMORY");
	}
	return now_ns() - start;
}
