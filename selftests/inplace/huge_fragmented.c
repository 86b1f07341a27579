// SPDX-License-Identifier: GPL-2.0
/*
 * A host that has enough memory, but no 2 MiB in one piece: the guest gets small pages, KVM neither compacts
 * nor reclaims memory for a hugepage, and counts what it refused. The VM should be small: all of its memory is
 * allocated once.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "files.h"
#include "huge.h"
#include "tap.h"

#define REFUSED		16u			/* hugepages that the guest asks for in vain */
#define KEPT_EACH	(BLOCK_PAGES / 2)	/* of so many pages of the host, one stays allocated */
#define SPARE_BYTES	(48ull << 20)		/* of the host's memory, which are not touched */

/* Adds up the numbers of lines that begin with @name. */
static uint64_t sum_of(const char *path, const char *name)
{
	static char text[1 << 16];
	uint64_t sum = 0;
	char *line, *lines;

	read_file(path, text, sizeof(text));
	for (line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
		if (!strncmp(line, name, strlen(name)))
			sum += strtoull(line + strcspn(line, " "), NULL, 10);
	}
	return sum;
}

static uint64_t available_bytes(void)
{
	return sum_of("/proc/meminfo", "MemAvailable:") << 10;
}

/* How often a task has had to free or compact memory before it got some. */
static uint64_t stalls(void)
{
	return sum_of("/proc/vmstat", "allocstall") + sum_of("/proc/vmstat", "compact_stall");
}

/* Allocates almost all memory, and frees all pages but one of KEPT_EACH. */
static uint8_t *fragment(uint64_t bytes)
{
	uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	check(memory == MAP_FAILED ? -1 : 0, "mmap");
	check(madvise(memory, bytes, MADV_NOHUGEPAGE), "MADV_NOHUGEPAGE");
	check(madvise(memory, bytes, MADV_POPULATE_WRITE), "MADV_POPULATE_WRITE");
	for (uint64_t kept = 0; kept + KEPT_EACH * PAGE <= bytes; kept += KEPT_EACH * PAGE)
		check(madvise(memory + kept + PAGE, (KEPT_EACH - 1) * PAGE, MADV_DONTNEED), "MADV_DONTNEED");
	return memory;
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
	const uint64_t bytes = (available_bytes() - SPARE_BYTES) / (KEPT_EACH * PAGE) * (KEPT_EACH * PAGE);
	uint64_t block, hugepages;
	uint8_t *memory;

	/* Nothing but this test shall have the memory compacted. */
	write_file("/proc/sys/vm/compaction_proactiveness", "0");
	create_work(WORK_PAGES_MAX, INIT_PRIVATE_FLAGS);
	warm_up(&vm.vcpus[0]);
	memory = fragment(bytes);
	block = use_up_blocks(0);
	printf("# %" PRIu64 " MiB available, %" PRIu64 " hugepages were\n", available_bytes() >> 20, block - 1);
	ok(vm_stat("gmem_huge_refused") == 1 && available_bytes() > 2 * REFUSED * BLOCK_PAGES * PAGE,
	   "there is memory for many hugepages, but not in one piece");
	test_refused(block);
	check(munmap(memory, bytes), "munmap");
	hugepages = vm_stat("pages_2m");
	ok(becomes_huge(block + REFUSED, hugepages), "the host's memory is whole again: the guest gets a hugepage");
	ok(guest_reads_blocks(0, block + REFUSED) && vm_stat("pages_2m") == hugepages + 1,
	   "all memory has the right content, and the others are small for good");
	destroy_work();
}
