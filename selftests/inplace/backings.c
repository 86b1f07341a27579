// SPDX-License-Identifier: GPL-2.0
/*
 * Two backings, that is without conversion in place: userspace punches holes into the file when pages
 * have become shared. What the guest has mapped of its shared memory must stay mapped.
 */
#include <inttypes.h>
#include <stdio.h>

#include "inplace.h"
#include "tap.h"

#define PAGES		1024u
#define PRIVATE_FIRST	768u	/* the pages from here on are private all the time */

static void punch(int fd, uint64_t first, uint64_t pages)
{
	check(-try_punch(fd, first * PAGE, pages * PAGE), "fallocate");
}

static void write_private_words(uint64_t first, uint64_t pages)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	for (uint64_t page = 0; page < pages; page++)
		vcpu->list[page] = page_gpa(first + page);
	run_list(vcpu, guest_write, pages, PRIVATE_TAG);
}

static bool is_zero(uint32_t gpa, uint32_t word, bool private)
{
	(void)gpa;
	return private && !word;
}

/* How many faults the guest takes as it reads pages that are right. */
static uint64_t count_faults(uint64_t first, uint64_t pages, page_check is_right)
{
	const uint64_t before = vm_stat("pf_taken"), fixed = vm_stat("pf_fixed");
	const bool right = pages_are_right(&vm.vcpus[0], first, pages, is_right);
	const uint64_t faults = vm_stat("pf_taken") - before;

	if (vm_stat("pf_fixed") - fixed > faults)
		complain("more faults are fixed than taken");
	return right ? faults : UINT64_MAX;
}

void test_backings(void)
{
	uint8_t *memory = map_memory(AREA_GPA, PAGES * PAGE);
	uint64_t faults;
	int fd;

	create_vm(1);
	warm_up(&vm.vcpus[0]);
	fd = create_gmem(vm.fd, PAGES * PAGE);
	write_shared_words(memory, 0, PAGES);
	set_slot(WORK_SLOT, AREA_GPA, PAGES * PAGE, memory, fd);
	set(0, PAGES, true);
	write_private_words(0, PAGES);
	set(0, PRIVATE_FIRST, false);
	faults = count_faults(0, PAGES, is_own_word);
	ok(faults && faults != UINT64_MAX,
	   "pages have become shared: the guest reads them (%" PRIu64 " faults)", faults);
	ok(!count_faults(0, PAGES, is_own_word), "again: there is no fault");

	punch(fd, 0, PRIVATE_FIRST);
	faults = count_faults(0, PAGES, is_own_word);
	ok(!faults, "the holes of the shared pages are punched: there is no fault (%" PRIu64 ")",
	   faults);
	for (uint64_t page = 0; page < PRIVATE_FIRST; page++)
		punch(fd, page, 1);
	faults = count_faults(0, PAGES, is_own_word);
	ok(!faults, "each by itself: there is none (%" PRIu64 ")", faults);

	punch(fd, 0, PAGES);
	faults = count_faults(PRIVATE_FIRST, PAGES - PRIVATE_FIRST, is_zero);
	ok(faults == PAGES - PRIVATE_FIRST,
	   "those of private pages as well: one for each, and they read as zero (%" PRIu64 ")",
	   faults);
	faults = count_faults(0, PRIVATE_FIRST, is_own_word);
	ok(!faults, "none for the shared ones (%" PRIu64 ")", faults);
	destroy_vm();
}
