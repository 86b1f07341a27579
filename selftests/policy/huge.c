// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of huge pages when a page in each is converted to private and back.
 *
 * usage: huge
 *
 * The guest has shared memory that is mapped by huge pages. In each of them one page turns private,
 * the guest uses the pages around it, and the page turns shared again. Then the guest goes on to use
 * the pages around it, and at last the page itself. Prints how many huge mappings there are at each
 * point, and how many faults it took to get there.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "page_guest.h"

#define BLOCKS		(AREA_PAGES / BLOCK_PAGES)

/* The first page of every other block, the last one of the others: zaps widen at both ends. */
static uint64_t converted_page(uint64_t block)
{
	return block * BLOCK_PAGES + (block % 2 ? BLOCK_PAGES - 1 : 0);
}

enum part { AROUND, CONVERTED_PAGES };

/* The guest reads one part of the pages. */
static void read_pages(enum part part)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	unsigned int count = 0;

	for (uint64_t page = 0; page < AREA_PAGES; page++) {
		if ((page == converted_page(page / BLOCK_PAGES)) == (part == CONVERTED_PAGES))
			vcpu->list[count++] = page_gpa(page);
		if (count == LIST_WORDS || (count && page == AREA_PAGES - 1)) {
			run_list(vcpu, guest_read, count, 0);
			count = 0;
		}
	}
}

static void convert(bool private)
{
	for (uint64_t block = 0; block < BLOCKS; block++)
		set(converted_page(block), converted_page(block) + 1, private);
}

static void report(const char *when)
{
	static unsigned long long faults_before;
	unsigned long long faults = vm_stat("pf_taken");

	printf("%s: %llu huge, %llu faults\n", when, vm_stat("pages_2m"), faults - faults_before);
	faults_before = faults;
}

int main(void)
{
	uint8_t *memory;

	create_vm(1);
	memory = map_memory(AREA_GPA, AREA_PAGES * PAGE);
	check(madvise(memory, AREA_PAGES * PAGE, MADV_HUGEPAGE), "madvise");
	memset(memory, 1, AREA_PAGES * PAGE);
	set_slot(WORK_SLOT, AREA_GPA, AREA_PAGES * PAGE, memory,
		 create_gmem(vm.fd, AREA_PAGES * PAGE));

	read_pages(AROUND);
	report("mapped");
	convert(true);
	read_pages(AROUND);
	report("converted");
	convert(false);
	read_pages(AROUND);
	report("back, pages around used");
	read_pages(CONVERTED_PAGES);
	report("converted pages used");
	return 0;
}
