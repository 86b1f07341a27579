// SPDX-License-Identifier: GPL-2.0
/*
 * A memslot whose upper part the vCPU's page tables do not reach, as with page tables of four
 * levels on a host whose physical addresses have more than 48 bits. The page tables take an address
 * out of reach for the one without the upper bits. A policy that maps ahead governs the VM.
 */
#include <errno.h>

#include "prefault.h"
#include "tap.h"

#define WORK_PAGES	BLOCK_PAGES
#define REACH_GPA	(1ull << 48)
/* The first page out of reach, and the one that the page tables take for page 0. */
#define BEYOND_PAGE	((REACH_GPA - AREA_GPA) / PAGE)
#define ALIAS_PAGE	(REACH_GPA / PAGE)
#define HIGH_FIRST	(BEYOND_PAGE - BLOCK_PAGES)
#define HIGH_PAGES	(ALIAS_PAGE + WORK_PAGES - HIGH_FIRST)
#define HIGH_SLOT	(PLAIN_SLOT + 1)

static bool enters_without_mapping(struct vcpu *vcpu)
{
	unsigned long long mapped = vm_stat("pages_4k");

	vcpu->list[0] = CODE_GPA;
	run_list(vcpu, guest_read, 1, 0);
	mapped = vm_stat("pages_4k") - mapped;
	return !mapped || complain("%llu pages got mapped", mapped);
}

void test_high(void)
{
	const uint64_t size = HIGH_PAGES * PAGE;
	struct vcpu *vcpu = &vm.vcpus[0];
	struct kvm_pre_fault_memory range = range_of(BEYOND_PAGE - 16, 32);

	create_vm(1);
	create_work(WORK_PAGES);
	warm_up(vcpu);
	set_slot(HIGH_SLOT, page_gpa(HIGH_FIRST), size, map_memory(page_gpa(HIGH_FIRST), size),
		 create_gmem(vm.fd, size));

	set_attributes(vm.fd, page_gpa(ALIAS_PAGE), WORK_PAGES * PAGE, PRIVATE);
	ok(enters_without_mapping(vcpu),
	   "pages out of the page tables' reach become private: none of them is mapped");
	ok(pages_are_right(vcpu, 0, WORK_PAGES, is_content),
	   "the guest finds its own memory where the page tables would take them to be");

	set_attributes(vm.fd, page_gpa(HIGH_FIRST), 2 * BLOCK_PAGES * PAGE, PRIVATE);
	ok(!pre_fault_some(vcpu, &range) && range_is(&range, BEYOND_PAGE, 16),
	   "KVM_PRE_FAULT_MEMORY maps what is in reach");
	ok(pre_fault_some(vcpu, &range) == EINVAL, "the next call: EINVAL");
}
