// SPDX-License-Identifier: GPL-2.0
/*
 * A host that has enough memory, but no 2 MiB in one piece: the guest gets small pages, KVM neither compacts
 * nor reclaims memory for a hugepage, and counts what it refused. The VM should be small: all of its memory is
 * allocated once.
 */
#include <inttypes.h>
#include <stdio.h>

#include "files.h"
#include "fragment.h"
#include "huge.h"
#include "tap.h"

#define REFUSED		16u			/* hugepages that the guest asks for in vain */

/* How often a task has had to free or compact memory before it got some. */
static uint64_t stalls(void)
{
	return sum_of_lines("/proc/vmstat", "allocstall") + sum_of_lines("/proc/vmstat", "compact_stall");
}

/* The guest uses a page of each block, beginning with @block, until KVM refuses a hugepage. Returns the next block. */
static uint64_t use_up_blocks(uint64_t block)
{
	while (!vm_stat("gmem_huge_refused") && (block + 2 * REFUSED + 1) * BLOCK_PAGES < WORK_PAGES_MAX)
		guest_writes(block++ * BLOCK_PAGES, 1);
	return block;
}

static bool guest_reads_blocks(uint64_t first, unsigned int blocks)
{
	bool right = true;

	for (uint64_t block = first; block < first + blocks; block++)
		right &= guest_reads(block * BLOCK_PAGES, BLOCK_PAGES);
	return right;
}

/* Beginning with @block, KVM refuses hugepages. It may zap what else the VM has: faults cannot be counted. */
static void test_refused(uint64_t block)
{
	const uint64_t refused = vm_stat("gmem_huge_refused"), allocated = vm_stat("gmem_huge_allocated");
	const uint64_t hugepages = vm_stat("pages_2m"), stalls_before = stalls();

	for (unsigned int i = 0; i < REFUSED; i++)
		guest_writes((block + i) * BLOCK_PAGES + i, 1);
	ok(vm_stat("gmem_huge_refused") - refused == REFUSED && vm_stat("gmem_huge_allocated") == allocated &&
	   vm_stat("pages_2m") == hugepages, "the guest uses a page of each of %u: they are small, and counted", REFUSED);
	ok(stalls() == stalls_before, "KVM neither reclaims nor compacts memory for that");
}

/* Free pages that CPUs keep for themselves may be in the way of one hugepage, but not of REFUSED. */
static bool becomes_huge(uint64_t block, uint64_t hugepages)
{
	for (unsigned int i = 0; i < REFUSED && vm_stat("pages_2m") == hugepages; i++) {
		compact_memory();
		guest_writes((block + i) * BLOCK_PAGES, 1);
	}
	return vm_stat("pages_2m") == hugepages + 1;
}

void test_huge_fragmented(void)
{
	uint64_t block, hugepages;
	struct fragments fragments;

	create_work(WORK_PAGES_MAX, INIT_PRIVATE_FLAGS);
	warm_up(&vm.vcpus[0]);
	fragments = fragment_memory();
	block = use_up_blocks(0);
	printf("# %" PRIu64 " MiB available, %" PRIu64 " hugepages were\n", available_bytes() >> 20, block - 1);
	ok(vm_stat("gmem_huge_refused") == 1 && available_bytes() > 2 * REFUSED * BLOCK_PAGES * PAGE,
	   "there is memory for many hugepages, but not in one piece");
	test_refused(block);
	free_fragments(&fragments);
	hugepages = vm_stat("pages_2m");
	ok(becomes_huge(block + REFUSED, hugepages), "the host's memory is whole again: the guest gets a hugepage");
	ok(guest_reads_blocks(0, block + REFUSED) && vm_stat("pages_2m") == hugepages + 1,
	   "all memory has the right content, and the others are small for good");
	destroy_work();
}
