// SPDX-License-Identifier: GPL-2.0
/*
 * What others notice of KVM_SET_MEMORY_ATTRIBUTES: tasks that give back memory of another memslot,
 * as memory management's notifiers take mmu_lock, and vCPUs, which are kicked to flush their TLBs.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bystanders.h"

/* Maps this page of each block; the page tables of the block exist afterwards. */
static void map_page_of_blocks(unsigned int page, uint64_t pages)
{
	for (; page < pages; page += BLOCK_PAGES)
		pre_fault(page, 1);
}

/* Zaps find page tables everywhere, which takes one page of each block only. */
static void create_mapped_vm(uint64_t pages)
{
	create_private_vm(pages);
	map_page_of_blocks(0, pages);
}

/* --- waiting ---------------------------------------------------------------- */

/* A task that gives back memory of another memslot, again and again. */
struct bystander {
	void *memory;
	atomic_bool watching, stop;
	uint64_t longest_ns;
};

static void *stand_by(void *arg)
{
	struct bystander *bystander = arg;
	uint64_t due_ns, wait_ns;

	run_first(true);
	while (!bystander->stop) {
		due_ns = wait_for_turn();
		check(madvise(bystander->memory, PAGE, MADV_DONTNEED), "madvise");
		wait_ns = now_ns() - due_ns;
		if (bystander->watching && wait_ns > bystander->longest_ns)
			bystander->longest_ns = wait_ns;
	}
	return NULL;
}

static uint64_t longest_wait_ns(uint64_t pages)
{
	struct bystander bystander = { .memory = map_memory(OTHER_GPA, PAGE) };
	pthread_t thread;

	set_slot(PLAIN_SLOT, OTHER_GPA, PAGE, bystander.memory, -1);
	thread = start_thread(stand_by, &bystander);
	usleep(SETTLE_US);
	bystander.watching = true;
	convert(0, pages, false);
	bystander.stop = true;
	pthread_join(thread, NULL);
	return bystander.longest_ns;
}

/* KVM's records keep more than one range, although the attributes are equal afterwards. */
static void fragment(uint64_t pages)
{
	for (uint64_t page = 1; page < pages; page += BLOCK_PAGES) {
		convert(page, 1, false);
		convert(page, 1, true);
	}
}

void measure_notifiers(uint64_t mib)
{
	const uint64_t pages = mib * MIB_PAGES;

	for (int fragmented = 0; fragmented < 2; fragmented++) {
		create_mapped_vm(pages);
		if (fragmented)
			fragment(pages);
		/* The pages that change do not end at a block's end, but the request does. */
		convert(pages - 1, 1, false);
		printf("%s-%" PRIu64 "M %" PRIu64 "\n", fragmented ? "fragmented" : "plain", mib,
		       longest_wait_ns(pages));
		destroy_private_vm();
	}
}

/* --- kicks ------------------------------------------------------------------ */

void measure_kicks(uint64_t mib, const char *policy)
{
	const uint64_t pages = mib * MIB_PAGES;
	unsigned long long flushes;

	for (int every_other = 0; every_other < 2; every_other++) {
		create_mapped_vm(pages);
		for (uint64_t page = 1; page < pages; page += every_other ? 2 : BLOCK_PAGES)
			convert(page, 1, false);
		if (every_other)
			for (unsigned int page = 2; page < BLOCK_PAGES; page += 2)
				map_page_of_blocks(page, pages);
		govern(policy);
		flushes = vm_stat("remote_tlb_flush_requests");
		convert(0, pages, false);
		printf("kicks-%s-%" PRIu64 "M %llu\n", every_other ? "page" : "block", mib,
		       vm_stat("remote_tlb_flush_requests") - flushes);
		destroy_private_vm();
	}
}
