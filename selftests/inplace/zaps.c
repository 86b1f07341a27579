// SPDX-License-Identifier: GPL-2.0
/* What the guest has mapped: what is unmapped from it, and what not, as its faults tell. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inplace.h"
#include "tap.h"

#define PAGES	64u
#define SOME	20u		/* a page in the middle */
#define WRONG	UINT64_MAX

/* The guest reads all pages. Returns how many faults that takes if it finds what it should. */
static uint64_t count_faults(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	const uint64_t before = vm_stat("pf_taken");

	for (unsigned int page = 0; page < PAGES; page++)
		vcpu->list[page] = page_gpa(page);
	run_list(vcpu, guest_read, PAGES, 0);
	for (unsigned int page = 0; page < PAGES; page++) {
		if (vcpu->found[page] != work.words[page])
			return WRONG;
	}
	return vm_stat("pf_taken") - before;
}

static bool faults_are(uint64_t expected)
{
	const uint64_t faults = count_faults();

	return faults == expected ||
	       complain("%" PRId64 " faults instead of %" PRIu64, (int64_t)faults, expected);
}

/* Whether the mapping of the slot's address is one of the file. */
static void test_converted(bool mapped)
{
	const char *how = mapped ? "mapped by the host" : "not mapped by the host";

	create_work(PAGES, INIT_SHARED_FLAGS);
	warm_up(&vm.vcpus[0]);
	ok(are_shared(0, PAGES) && faults_are(0), "%s: the guest has mapped all pages", how);
	if (!mapped)
		munmap(work.memory, PAGES * PAGE);
	ok(faults_are(0), "%s: it has", how);
	for (int private = 1; private >= 0; private--) {
		const char *to = private ? "private" : "shared";

		convert_pages(SOME, 1, private);
		ok(faults_are(1) && faults_are(0),
		   "%s, one page becomes %s: no other is unmapped from the guest", how, to);
		convert_pages(0, PAGES, private);
		ok(faults_are(PAGES - 1), "%s, all become %s: that one is not, which is %s already",
		   how, to, to);
		convert_pages(0, PAGES, private);
		ok(faults_are(0), "%s, once more: none is", how);
	}
	if (!mapped)
		work.memory = map_file(work.fd, PAGES * PAGE, MAP_SHARED);
	destroy_work();
}

/* The guest's memory is the file's, whatever the host does with its own page tables. */
static void test_host_unmaps(void)
{
	create_work(PAGES, INIT_SHARED_FLAGS);
	warm_up(&vm.vcpus[0]);
	ok(are_shared(0, PAGES) && faults_are(0), "the guest has mapped all pages");
	check(madvise(work.memory, PAGES * PAGE, MADV_DONTNEED), "madvise");
	ok(faults_are(0), "MADV_DONTNEED at the slot's address unmaps nothing from it");
	check(mprotect(work.memory, PAGES * PAGE, PROT_READ), "mprotect");
	ok(faults_are(0), "nor does mprotect()");
	munmap(work.memory, PAGES * PAGE);
	ok(faults_are(0), "nor does munmap()");
	work.memory = map_file(work.fd, PAGES * PAGE, MAP_SHARED);
	destroy_work();
}

static void test_holes(bool private)
{
	create_work(PAGES, private ? INIT_PRIVATE_FLAGS : INIT_SHARED_FLAGS);
	warm_up(&vm.vcpus[0]);
	ok((private ? are_private(0, PAGES) : are_shared(0, PAGES)) && faults_are(0),
	   "the guest has mapped %s pages", private ? "private" : "shared");
	check(-try_punch(work.fd, SOME * PAGE, 2 * PAGE), "fallocate");
	work.words[SOME] = work.words[SOME + 1] = 0;
	ok(faults_are(2), "a hole of two: they are unmapped and read as zero, no other is");
	destroy_work();
}

static void test_pre_fault(bool private)
{
	create_work(PAGES, private ? INIT_PRIVATE_FLAGS : INIT_SHARED_FLAGS);
	warm_up(&vm.vcpus[0]);
	ok(returns(0, try_pre_fault_all(vm.vcpus[0].fd, page_gpa(0), PAGES * PAGE)) &&
	   faults_are(0),
	   "%s pages are pre-faulted: there is no fault, they read as zero",
	   private ? "private" : "shared");
	convert_pages(0, PAGES, !private);
	ok(returns(0, try_pre_fault_all(vm.vcpus[0].fd, page_gpa(0), PAGES * PAGE)) &&
	   faults_are(0), "so they are when they have become %s", private ? "shared" : "private");
	destroy_work();
}

/* A file that cannot be mapped by the host is the guest's memory in both states all the same. */
static void test_not_mappable(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	uint8_t *memory = map_memory(AREA_GPA, PAGES * PAGE);

	create_vm(1);
	work.fd = create_gmem(vm.fd, PAGES * PAGE);
	write_shared_words(memory, 0, PAGES);
	set_slot(WORK_SLOT, AREA_GPA, PAGES * PAGE, memory, work.fd);
	warm_up(vcpu);
	for (unsigned int page = 0; page < PAGES; page++)
		vcpu->list[page] = page_gpa(page);
	run_list(vcpu, guest_write, PAGES, PRIVATE_TAG);
	for (unsigned int page = 0; page < PAGES; page++)
		work.words[page] = page_gpa(page) | PRIVATE_TAG;
	convert_pages(0, PAGES, false);
	ok(faults_are(PAGES) && faults_are(0),
	   "a file that the host cannot map: its pages keep what they have as they become shared");
	convert_pages(0, PAGES, true);
	ok(faults_are(PAGES), "and private again");
	destroy_vm();
	close(work.fd);
}

void test_zaps(void)
{
	for (int i = 0; i < 2; i++) {
		test_converted(i);
		test_holes(i);
		test_pre_fault(i);
	}
	test_host_unmaps();
	test_not_mappable();
}
