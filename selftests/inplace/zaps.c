// SPDX-License-Identifier: GPL-2.0
/* What the guest has mapped: what is unmapped from it, and what not, as its faults tell. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "files.h"
#include "inplace.h"
#include "tap.h"

#define PAGES	64u
#define SOME	20u		/* a page in the middle */
#define TABLE_PAGES	512u	/* that one of the guest's page tables maps */
#define WRONG	UINT64_MAX

/* The guest writes to all pages. */
static void fill_by_guest(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	for (unsigned int page = 0; page < work.pages; page++) {
		vcpu->list[page] = page_gpa(page);
		work.words[page] = page_gpa(page) | PRIVATE_TAG;
	}
	run_list(vcpu, guest_write, work.pages, PRIVATE_TAG);
}

/* The guest reads all pages. Returns how many faults that takes if it finds what it should. */
static uint64_t count_faults(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	const uint64_t before = vm_stat("pf_taken");

	for (unsigned int page = 0; page < work.pages; page++)
		vcpu->list[page] = page_gpa(page);
	run_list(vcpu, guest_read, work.pages, 0);
	for (unsigned int page = 0; page < work.pages; page++) {
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

/* A range that more than one of the guest's page tables maps, without the ends of the first and the last. */
static void test_tables(void)
{
	const uint64_t first = TABLE_PAGES - SOME, pages = TABLE_PAGES + 2 * SOME;
	uint64_t mapped, private, shared, flushes;

	create_work(3 * TABLE_PAGES, INIT_SHARED_FLAGS);
	warm_up(&vm.vcpus[0]);
	fill_by_guest();
	ok(faults_are(0), "the guest has mapped pages by three page tables");
	mapped = vm_stat("pages_4k");
	private = vm_stat("memattr_pages_private");
	shared = vm_stat("memattr_pages_shared");
	flushes = vm_stat("remote_tlb_flush_requests");
	convert_pages(first, pages, true);
	ok(vm_stat("pages_4k") == mapped - pages && faults_are(pages) &&
	   vm_stat("pages_4k") == mapped,
	   "a part of them becomes private: it is unmapped from the guest, and counted as such");
	/* Under emulation no vCPU keeps its TLB long enough to show that a flush is missing. */
	ok(vm_stat("remote_tlb_flush_requests") > flushes, "TLBs are flushed");
	convert_pages(TABLE_PAGES, TABLE_PAGES, false);
	ok(faults_are(TABLE_PAGES), "all of one table's become shared: the others' stay mapped");
	ok(vm_stat("memattr_pages_private") == private + pages &&
	   vm_stat("memattr_pages_shared") == shared + TABLE_PAGES, "KVM counts both");
	flushes = vm_stat("remote_tlb_flush_requests");
	check(-try_punch(work.fd, first * PAGE, pages * PAGE), "fallocate");
	ok(vm_stat("remote_tlb_flush_requests") > flushes, "a hole is punched: TLBs are flushed");
	memset(&work.words[first], 0, pages * sizeof(work.words[0]));
	ok(faults_are(pages), "its pages are unmapped and read as zero, no other is");
	destroy_work();
}

/* Whether debugfs lists this, and no other range. */
static bool ranges_are(const char *expected)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/memattr_ranges", getpid(), vm.fd);
	read_file(path, text, sizeof(text));
	return !strcmp(text, expected) || complain("the ranges are:\n%s", text);
}

/* Two memslots have the file's halves, in the opposite order. */
static void test_halves(void)
{
	const uint64_t half = PAGES / 2;
	bool right = true;

	create_work(PAGES, INIT_SHARED_FLAGS);
	set_slot(WORK_SLOT, AREA_GPA, 0, NULL, -1);
	right &= !try_set_gmem_slot(vm.fd, WORK_SLOT, AREA_GPA, half * PAGE, work_page(half),
				    work.fd, half * PAGE);
	right &= !try_set_gmem_slot(vm.fd, PLAIN_SLOT, page_gpa(half), half * PAGE, work.memory,
				    work.fd, 0);
	warm_up(&vm.vcpus[0]);
	fill_by_guest();
	ok(right && faults_are(0), "the file's halves are mapped in the opposite order");
	convert_pages(half + SOME, 2, true);
	ok(faults_are(2) && ranges_are("0x2014000-0x2016000 2 private\n"),
	   "two pages of the second half: no others are unmapped, debugfs lists them");
	convert_pages(half - 2, 4, true);
	ok(faults_are(4) && ranges_are("0x2000000-0x2002000 2 private\n"
				       "0x2014000-0x2016000 2 private\n"
				       "0x203e000-0x2040000 2 private\n"),
	   "two of each: neither, debugfs lists all");
	check(-try_punch(work.fd, (half + 1) * PAGE, PAGE), "fallocate");
	work.words[1] = 0;
	ok(faults_are(1), "a hole in the second half: only that is unmapped");
	convert_pages(0, PAGES, true);
	ok(faults_are(PAGES - 6) && ranges_are("0x2000000-0x2040000 64 private\n"),
	   "the whole file: so are all others, debugfs lists one range");
	set_slot(PLAIN_SLOT, page_gpa(half), 0, NULL, -1);
	destroy_work();
}

/* What the host has mapped stays mapped where pages become shared. */
static void test_host_faults(void)
{
	uint64_t before;

	create_work(PAGES, INIT_SHARED_FLAGS);
	convert_pages(SOME, 1, true);
	convert_pages(SOME + 2, 1, true);
	ok(are_shared(SOME + 1, 1), "the host has mapped a page between two private ones");
	before = vm_stat("memattr_host_faults");
	convert_pages(0, PAGES, false);
	ok(host_finds(SOME + 1, work.words[SOME + 1]) && vm_stat("memattr_host_faults") == before,
	   "they become shared: it is not unmapped from the host");
	ok(host_finds(SOME, 0) && vm_stat("memattr_host_faults") == before + 1,
	   "one of them is mapped by a fault, which is counted");
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
	ok(returns(0, try_convert_pages(0, PAGES, true)), "pre-faulting holds none of them");
	destroy_work();
}

/* A file that cannot be mapped by the host is the guest's memory in both states all the same. */
static void test_not_mappable(void)
{
	uint8_t *memory = map_memory(AREA_GPA, PAGES * PAGE);

	create_vm(1);
	work.pages = PAGES;
	work.fd = create_gmem(vm.fd, PAGES * PAGE);
	write_shared_words(memory, 0, PAGES);
	set_slot(WORK_SLOT, AREA_GPA, PAGES * PAGE, memory, work.fd);
	warm_up(&vm.vcpus[0]);
	fill_by_guest();
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
	test_tables();
	test_halves();
	test_host_faults();
	test_host_unmaps();
	test_not_mappable();
}
