// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation fails once, and so do all from one on, while a hugepage's memory is allocated, and while a
 * hugepage is split: there is a hugepage or there are small pages, and they have the right content.
 */
#include <errno.h>
#include <stdio.h>

#include "failslab.h"
#include "huge.h"
#include "tap.h"

#define SOME	77u

/* What came of the attempts that were made without memory. */
struct outcome {
	unsigned int attempts, enomem, small;
};

/* A try, in a new VM, in which the nth allocation fails. Returns whether all is right. */
typedef bool (*attempt_function)(unsigned int nth, bool lasting, bool *happened, struct outcome *outcome);

static bool sweep(attempt_function attempt, struct outcome *outcome)
{
	bool right = true, happened;

	for (int lasting = 0; lasting < 2; lasting++) {
		unsigned int nth = 0;

		do {
			right &= attempt(++nth, lasting, &happened, outcome);
			destroy_work();
			outcome->attempts += happened;
		} while (happened);
	}
	printf("# of %u attempts %u get ENOMEM, and %u lead to small pages\n", outcome->attempts, outcome->enomem,
	       outcome->small);
	return right;
}

/* The block is allocated and mapped, or it is refused. */
static bool allocate(unsigned int nth, bool lasting, bool *happened, struct outcome *outcome)
{
	bool right;
	int err;

	create_work(BLOCK_PAGES, INIT_PRIVATE_FLAGS);
	warm_up(&vm.vcpus[0]);
	begin_failing(nth, lasting);
	err = try_pre_fault_all(vm.vcpus[0].fd, page_gpa(0), BLOCK_PAGES * PAGE);
	*happened = end_failing();
	right = !err || returns(ENOMEM, err);
	outcome->enomem += !!err;
	right &= guest_reads(0, BLOCK_PAGES);
	guest_writes(0, BLOCK_PAGES);
	right &= guest_reads(0, BLOCK_PAGES);
	outcome->small += !vm_stat("pages_2m");
	return right & (vm_stat("pages_2m") == vm_stat("gmem_huge_allocated"));
}

/* Without a page table for its pages, a hugepage is dropped as a whole. */
static bool split(unsigned int nth, bool lasting, bool *happened, struct outcome *outcome)
{
	struct counts before;
	bool right = true;
	uint64_t splits;
	int err;

	create_huge_work(BLOCK_PAGES);
	before = counts_now();
	begin_failing(nth, lasting);
	err = try_convert_pages(SOME, 1, false);
	*happened = end_failing();
	if (err) {
		outcome->enomem++;
		right = returns(ENOMEM, err) & guest_reads(0, BLOCK_PAGES) & counts_are(&before, 1, 0, 0);
		convert_pages(SOME, 1, false);
	}
	splits = vm_stat("gmem_huge_splits") - before.splits;
	outcome->small += !splits;
	return right & host_finds(SOME, work.words[SOME]) & host_is_refused(SOME + 1) &
	       guest_reads(0, BLOCK_PAGES) & counts_are(&before, 0, splits, splits ? 1 : BLOCK_PAGES);
}

void test_huge_fail(void)
{
	struct outcome allocated = { 0 }, was_split = { 0 };
	bool right;

	if (!open_failslab())
		skip_all("the kernel has no CONFIG_FAILSLAB");
	right = sweep(allocate, &allocated);
	ok(right && allocated.attempts && allocated.small,
	   "a block is allocated without memory for what it takes: its pages are small, and zero at first");
	right = sweep(split, &was_split);
	ok(right && was_split.enomem && was_split.small,
	   "a page is converted without memory for a page table: the guest faults on the hugepage's others");
}
