// SPDX-License-Identifier: GPL-2.0
/*
 * Hugepages of a guest_memfd, with kvm.gmem_huge_pages=always: what makes one, what splits it, and how
 * many faults the guest takes for that. test_huge() converts in place, test_huge_backings() does not.
 * What happens without memory is in huge_fail.c and huge_fragmented.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "huge.h"
#include "tap.h"

#define BLOCKS		4u
#define PAGES		(BLOCKS * BLOCK_PAGES)
#define SOME		700u			/* a page in the middle of the second block */
#define HELD		(SOME + 7)
#define MANY_BLOCKS	100u
#define VMS		100u

struct counts counts_now(void)
{
	return (struct counts){
		.faults = vm_stat("pf_taken"),
		.hugepages = vm_stat("pages_2m"),
		.splits = vm_stat("gmem_huge_splits"),
	};
}

bool counts_are(const struct counts *before, uint64_t hugepages, uint64_t splits, uint64_t faults)
{
	const struct counts now = counts_now();

	return (now.hugepages == hugepages && now.splits - before->splits == splits &&
		now.faults - before->faults == faults) ||
	       complain("%" PRIu64 " hugepages, %" PRIu64 " splits, %" PRIu64 " faults instead of %" PRIu64
			", %" PRIu64 ", %" PRIu64, now.hugepages, now.splits - before->splits,
			now.faults - before->faults, hugepages, splits, faults);
}

bool guest_reads(uint64_t first, uint64_t pages)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	for (uint64_t page = 0; page < pages; page++)
		vcpu->list[page] = page_gpa(first + page);
	run_list(vcpu, guest_read, pages, 0);
	for (uint64_t page = 0; page < pages; page++) {
		if (vcpu->found[page] != work.words[first + page])
			return complain("page %" PRIu64 " has 0x%x instead of 0x%x", first + page,
					vcpu->found[page], work.words[first + page]);
	}
	return true;
}

void guest_writes(uint64_t first, uint64_t pages)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	for (uint64_t page = 0; page < pages; page++) {
		vcpu->list[page] = page_gpa(first + page);
		work.words[first + page] = page_gpa(first + page) | PRIVATE_TAG;
	}
	run_list(vcpu, guest_write, pages, PRIVATE_TAG);
}

void create_huge_work(uint64_t pages)
{
	create_work(pages, INIT_PRIVATE_FLAGS);
	warm_up(&vm.vcpus[0]);
	guest_writes(0, pages);
}

static void punch(uint64_t first, uint64_t pages)
{
	check(-try_punch(work.fd, first * PAGE, pages * PAGE), "fallocate");
	memset(&work.words[first], 0, pages * sizeof(work.words[0]));
}

/* --- what makes a hugepage ------------------------------------------------- */

static void test_first_touch(void)
{
	struct counts before;

	create_work(PAGES, INIT_PRIVATE_FLAGS);
	warm_up(&vm.vcpus[0]);
	before = counts_now();
	ok(guest_reads(SOME, 1) && counts_are(&before, 1, 0, 1) && vm_stat("gmem_huge_allocated") == 1,
	   "the guest reads a page: it gets a hugepage, which KVM has allocated");
	ok(guest_reads(0, PAGES) && counts_are(&before, BLOCKS, 0, BLOCKS),
	   "it reads all: one fault for each hugepage, they are zero");
	guest_writes(0, PAGES);
	ok(guest_reads(0, PAGES) && counts_are(&before, BLOCKS, 0, BLOCKS),
	   "it writes and reads them: no fault");
	destroy_work();
}

static void test_host_first(void)
{
	struct counts before;

	create_work(PAGES, INIT_SHARED_FLAGS);
	warm_up(&vm.vcpus[0]);
	ok(!try_store(work_page(SOME), work.words[SOME] = 1) && vm_stat("gmem_huge_allocated") == 1,
	   "the host is the first to use a page: KVM allocates a hugepage's memory");
	before = counts_now();
	ok(guest_reads(0, PAGES) && counts_are(&before, BLOCKS, 0, BLOCKS),
	   "the guest gets hugepages of shared memory");
	convert_pages(0, PAGES, true);
	ok(counts_are(&before, 0, 0, BLOCKS) && guest_reads(0, PAGES) &&
	   counts_are(&before, BLOCKS, 0, 2 * BLOCKS), "all become private: new ones, with the same content");
	destroy_work();
}

static void test_allocated(void)
{
	struct counts before;

	create_work(PAGES, INIT_PRIVATE_FLAGS);
	warm_up(&vm.vcpus[0]);
	before = counts_now();
	check(fallocate(work.fd, FALLOC_FL_KEEP_SIZE, BLOCK_PAGES * PAGE / 2, 2 * BLOCK_PAGES * PAGE), "fallocate");
	ok(vm_stat("gmem_huge_allocated") == 1, "fallocate(): of three 2 MiB, the one of which it is to allocate all");
	ok(guest_reads(BLOCK_PAGES, BLOCK_PAGES) && counts_are(&before, 1, 0, 1), "it is a hugepage of the guest");
	ok(guest_reads(0, BLOCK_PAGES) && counts_are(&before, 1, 0, 1 + BLOCK_PAGES),
	   "another, half of which was there, is not");
	destroy_work();
}

static void test_pre_fault(void)
{
	struct counts before;

	create_work(PAGES, INIT_PRIVATE_FLAGS);
	warm_up(&vm.vcpus[0]);
	before = counts_now();
	ok(returns(0, try_pre_fault_all(vm.vcpus[0].fd, page_gpa(SOME), PAGE)) && vm_stat("pages_2m") == 1,
	   "one page is pre-faulted: there is a hugepage");
	ok(returns(0, try_pre_fault_all(vm.vcpus[0].fd, page_gpa(0), PAGES * PAGE)) &&
	   vm_stat("prefaulted_pages") == PAGES && guest_reads(0, PAGES) &&
	   counts_are(&before, BLOCKS, 0, 0), "all are: no fault of the guest, each page is counted once");
	convert_pages(SOME, 1, false);
	ok(returns(0, try_pre_fault_all(vm.vcpus[0].fd, page_gpa(0), PAGES * PAGE)) && guest_reads(0, PAGES) &&
	   counts_are(&before, BLOCKS - 1, 1, 0), "again after a page has become shared: that hugepage stays split");
	destroy_work();
}

/* --- what splits it ---------------------------------------------------------- */

static void test_converted(void)
{
	struct counts before;

	create_huge_work(PAGES);
	before = counts_now();
	convert_pages(SOME, 1, false);
	ok(counts_are(&before, BLOCKS - 1, 1, 0), "one page becomes shared: its hugepage is split");
	ok(host_finds(SOME, work.words[SOME]) && host_is_refused(SOME + 1), "the host has that page, no other");
	ok(guest_reads(0, PAGES) && counts_are(&before, BLOCKS - 1, 1, 1), "the guest faults on no other page");
	convert_pages(SOME, 1, true);
	ok(counts_are(&before, BLOCKS - 1, 1, 1) && guest_reads(0, SOME) && counts_are(&before, BLOCKS - 1, 1, 1),
	   "it becomes private: the guest faults on no other page");
	ok(guest_reads(SOME, 1) && counts_are(&before, BLOCKS, 1, 2), "the guest uses it: there is a hugepage again");
	ok(guest_reads(0, PAGES) && counts_are(&before, BLOCKS, 1, 2), "with the content that it had");
	destroy_work();
}

/* Requests that split two hugepages, and that split none. */
static void test_ranges(void)
{
	const uint64_t first = BLOCK_PAGES - 3, pages = BLOCK_PAGES + 6;
	struct counts before;

	create_huge_work(PAGES);
	before = counts_now();
	convert_pages(first, pages, false);
	ok(counts_are(&before, 1, 2, 0), "the end of one, all of the next and the beginning of a third: two are split");
	ok(guest_reads(0, PAGES) && counts_are(&before, 2, 2, 3 + 1 + 3), "the guest faults only on what has changed");
	convert_pages(0, PAGES, false);
	ok(counts_are(&before, 1, 2, 7) && guest_reads(0, PAGES) && counts_are(&before, BLOCKS, 2, 7 + 3),
	   "all become shared: those that were not are hugepages again, the one that was stays");
	destroy_work();
}

static void test_holes(void)
{
	struct counts before;

	create_huge_work(PAGES);
	before = counts_now();
	punch(SOME, 2);
	ok(counts_are(&before, BLOCKS - 1, 1, 0), "a hole of two pages: the hugepage is split");
	ok(guest_reads(0, PAGES) && vm_stat("pf_taken") - before.faults == 2,
	   "they read as zero, at the price of two faults");
	punch(BLOCK_PAGES, BLOCK_PAGES);
	ok(guest_reads(0, PAGES) && counts_are(&before, BLOCKS, 1, 3), "all of it is punched out: the next one is huge");
	punch(0, PAGES);
	ok(counts_are(&before, 0, 1, 3), "all of the file is: there is none");
	destroy_work();
}

static void test_held_page(void)
{
	struct counts before;

	create_huge_work(PAGES);
	convert_pages(BLOCK_PAGES, BLOCK_PAGES, false);
	ok(guest_reads(0, PAGES) && host_finds(HELD, work.words[HELD]), "a page of a shared hugepage is used by the host");
	hold(work_page(HELD));
	before = counts_now();
	ok(is_held(BLOCK_PAGES, BLOCK_PAGES, HELD) && guest_reads(0, PAGES) && counts_are(&before, BLOCKS, 0, 0),
	   "it is held: the block cannot become private, and nothing is unmapped from the guest");
	convert_pages(BLOCK_PAGES, HELD - BLOCK_PAGES, true);
	ok(guest_reads(0, PAGES) && counts_are(&before, BLOCKS - 1, 1, HELD - BLOCK_PAGES),
	   "the pages before it can");
	release();
	convert_pages(BLOCK_PAGES, BLOCK_PAGES, true);
	ok(guest_reads(HELD, 1) && guest_reads(0, PAGES) && counts_are(&before, BLOCKS, 1, HELD - BLOCK_PAGES + 1),
	   "released, all can, and are a hugepage");
	destroy_work();
}

static void test_poisoned(void)
{
	struct counts before;
	int err;

	create_huge_work(PAGES);
	convert_pages(BLOCK_PAGES, BLOCK_PAGES, false);
	ok(guest_reads(0, PAGES) && host_finds(SOME, work.words[SOME]), "a shared hugepage");
	before = counts_now();
	err = poison(work_page(SOME));
	if (err) {
		skip("memory failure", "madvise(MADV_HWPOISON): %s", strerror(err));
		destroy_work();
		return;
	}
	ok(counts_are(&before, BLOCKS - 1, 1, 0), "a page of it fails: it is split");
	ok(guest_reads(0, SOME) && guest_reads(SOME + 1, PAGES - SOME - 1) && counts_are(&before, BLOCKS - 1, 1, 0),
	   "the guest has all others, without a fault");
	convert_pages(SOME + 1, 1, true);
	ok(guest_reads(SOME + 1, 1) && counts_are(&before, BLOCKS - 1, 1, 1), "they are not a hugepage again");
	punch(BLOCK_PAGES, BLOCK_PAGES);
	convert_pages(BLOCK_PAGES, BLOCK_PAGES, true);
	ok(guest_reads(0, PAGES) && counts_are(&before, BLOCKS, 1, 2), "when the block is punched out, the next one is");
	destroy_work();
}

/* --- memslots ------------------------------------------------------------------ */

/* Two memslots have the file's halves, in the opposite order, which are @half pages. */
static void test_halves(uint64_t half, uint64_t hugepages)
{
	bool right;

	create_work(2 * half, INIT_PRIVATE_FLAGS);
	set_slot(WORK_SLOT, AREA_GPA, 0, NULL, -1);
	right = !try_set_gmem_slot(vm.fd, WORK_SLOT, AREA_GPA, half * PAGE, work_page(half), work.fd, half * PAGE);
	right &= !try_set_gmem_slot(vm.fd, PLAIN_SLOT, page_gpa(half), half * PAGE, work.memory, work.fd, 0);
	warm_up(&vm.vcpus[0]);
	guest_writes(0, 2 * half);
	ok(right && guest_reads(0, 2 * half) && vm_stat("pages_2m") == hugepages &&
	   vm_stat("gmem_huge_allocated") == hugepages,
	   "memslots of %" PRIu64 " pages in the opposite order: %" PRIu64 " hugepages", half, hugepages);
	convert_pages(half, half, false);
	ok(host_finds(half, work.words[0]) && host_finds(2 * half - 1, work.words[half - 1]) &&
	   host_is_refused(half - 1), "one's pages become shared: the host finds what the guest wrote");
	set_slot(PLAIN_SLOT, page_gpa(half), 0, NULL, -1);
	ok(guest_reads(0, half), "the other memslot goes: so does the guest");
	destroy_work();
}

/* A memslot that begins one page after a hugepage's beginning, in the file or at its gpa. */
static void test_misaligned(uint64_t gpa_pages, uint64_t file_pages, uint64_t hugepages)
{
	const uint64_t pages = PAGES - BLOCK_PAGES;

	create_work(PAGES, INIT_PRIVATE_FLAGS);
	set_slot(WORK_SLOT, AREA_GPA, 0, NULL, -1);
	ok(returns(0, -try_set_gmem_slot(vm.fd, WORK_SLOT, page_gpa(gpa_pages), pages * PAGE,
					 work_page(file_pages), work.fd, file_pages * PAGE)),
	   "a memslot %" PRIu64 " pages after AREA_GPA, %" PRIu64 " after the file's beginning", gpa_pages, file_pages);
	warm_up(&vm.vcpus[0]);
	guest_writes(gpa_pages, pages);
	ok(guest_reads(gpa_pages, pages) && vm_stat("pages_2m") == hugepages &&
	   vm_stat("gmem_huge_allocated") == hugepages, "%" PRIu64 " hugepages", hugepages);
	destroy_work();
}

static void test_deleted(void)
{
	struct counts before;

	create_huge_work(PAGES);
	before = counts_now();
	set_slot(WORK_SLOT, AREA_GPA, 0, NULL, -1);
	set_slot(WORK_SLOT, AREA_GPA, PAGES * PAGE, work.memory, work.fd);
	warm_up(&vm.vcpus[0]);
	before = counts_now();
	ok(vm_stat("pages_2m") == 0 && guest_reads(0, PAGES) && counts_are(&before, BLOCKS, 0, BLOCKS),
	   "a memslot is deleted and comes again: so do its hugepages");
	destroy_work();
}

/* --- many -------------------------------------------------------------------------- */

/* Each of many hugepages loses one page and gets it back. */
static void test_many(void)
{
	const uint64_t pages = MANY_BLOCKS * BLOCK_PAGES;
	struct counts before;
	uint64_t page;
	bool right = true;

	create_work(pages, INIT_PRIVATE_FLAGS);
	warm_up(&vm.vcpus[0]);
	for (page = 0; page < pages; page += BLOCK_PAGES)
		guest_writes(page, BLOCK_PAGES);
	before = counts_now();
	for (page = 0; page < pages; page += BLOCK_PAGES + 5) {
		convert_pages(page, 1, false);
		right &= host_finds(page, work.words[page]);
		convert_pages(page, 1, true);
		right &= guest_reads(page, 1);
	}
	ok(right && counts_are(&before, MANY_BLOCKS, MANY_BLOCKS, MANY_BLOCKS),
	   "%u of %u blocks lose a page and are hugepages again after one fault", MANY_BLOCKS, MANY_BLOCKS);
	for (page = 0; page < pages; page += BLOCK_PAGES)
		right &= guest_reads(page, BLOCK_PAGES);
	convert_pages(0, pages, false);
	for (page = 0; page < pages; page++)
		right &= host_finds(page, work.words[page]);
	ok(right, "guest and host find what the guest wrote");
	destroy_work();
}

uint64_t free_in_blocks(void)
{
	char text[4096], *line, *word, *lines, *words;
	uint64_t pages = 0;
	int order;

	read_file("/proc/buddyinfo", text, sizeof(text));
	for (line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
		/* Node 0, zone Normal 1 2 3 ... */
		order = -4;
		for (word = strtok_r(line, " ", &words); word; word = strtok_r(NULL, " ", &words), order++) {
			if (order >= 9)
				pages += strtoull(word, NULL, 10) << order;
		}
	}
	return pages;
}

void compact_memory(void)
{
	write_file("/proc/sys/vm/compact_memory", "1");
}

static int use_hugepages(void *arg)
{
	(void)arg;
	create_huge_work(PAGES);
	convert_pages(SOME, 1, false);
	destroy_work();
	return 0;
}

/* What is free in blocks when the kernel keeps nothing that it could give back. */
static uint64_t free_after_all(void)
{
	write_file("/proc/sys/vm/drop_caches", "3");
	compact_memory();
	return free_in_blocks();
}

/* The host has its memory back, and not in small pieces. */
void test_huge_vms(void)
{
	bool right = true;
	uint64_t before, after;

	/* CPUs keep few free pages for themselves: how many it is otherwise depends on what ran there last. */
	write_file("/proc/sys/vm/percpu_pagelist_high_fraction", "1000000");
	/* The first VMs leave behind what is allocated once and kept. */
	for (unsigned int i = 0; i < VMS; i++)
		right &= !in_child(use_hugepages, NULL);
	before = free_after_all();
	for (unsigned int i = 0; i < VMS; i++)
		right &= !in_child(use_hugepages, NULL);
	after = free_after_all();
	ok(right && before && after + VMS * BLOCK_PAGES / 4 > before,
	   "%u VMs, one after the other, leave 2 MiB blocks free as before (%" PRIu64 " pages, now %" PRIu64 ")",
	   VMS, before, after);
}

/* --- at the same time ---------------------------------------------------------------- */

#define TOGGLES	50u

static atomic_bool is_over;
static atomic_uint wrong, rounds;

/* A vCPU reads all of the block, again and again, and finds what was written there. */
static void *read_block(void *arg)
{
	struct vcpu *vcpu = arg;

	while (!is_over) {
		for (unsigned int page = 0; page < BLOCK_PAGES; page++)
			vcpu->list[page] = page_gpa(page);
		run_list_again(vcpu, guest_read, BLOCK_PAGES, 0);
		for (unsigned int page = 0; page < BLOCK_PAGES; page++)
			wrong += vcpu->found[page] != work.words[page];
		rounds++;
	}
	return NULL;
}

static void test_vcpus(void)
{
	pthread_t threads[MAX_VCPUS];
	unsigned int page = 0;

	create_work_for(MAX_VCPUS, BLOCK_PAGES, INIT_PRIVATE_FLAGS);
	for (unsigned int i = 0; i < MAX_VCPUS; i++)
		warm_up(&vm.vcpus[i]);
	guest_writes(0, BLOCK_PAGES);
	is_over = false;
	wrong = rounds = 0;
	for (unsigned int i = 0; i < MAX_VCPUS; i++)
		threads[i] = start_thread(read_block, &vm.vcpus[i]);
	/* The next vCPU that reads the page makes it a hugepage again. */
	for (unsigned int i = 0; i < TOGGLES; i++) {
		page = (page + 77) % BLOCK_PAGES;
		convert_pages(page, 1, false);
		wrong += !host_finds(page, work.words[page]);
		while (try_convert_pages(page, 1, true) == EAGAIN)
			;
		for (unsigned int before = rounds; !vm_stat("pages_2m") && rounds - before < 4 * MAX_VCPUS;)
			sched_yield();
	}
	is_over = true;
	for (unsigned int i = 0; i < MAX_VCPUS; i++)
		pthread_join(threads[i], NULL);
	ok(!wrong && vm_stat("gmem_huge_splits") == TOGGLES,
	   "four vCPUs read a block whose pages are converted: all find what was there (%llu splits, %u rounds)",
	   vm_stat("gmem_huge_splits"), rounds);
	destroy_work();
}

/* --- memory cgroups ----------------------------------------------------------------- */

#define CGROUPS	"/sys/fs/cgroup/"
#define CGROUP	CGROUPS "huge/"

/* What is left of the limit is for pages that the guest uses. */
static int near_limit(void *arg)
{
	char pid[16];

	(void)arg;
	snprintf(pid, sizeof(pid), "%d", getpid());
	write_file(CGROUP "cgroup.procs", pid);
	/* An eighth of this is not for blocks, which leaves less than one besides this process and its VM. */
	write_file(CGROUP "memory.max", "12M");
	create_work(8 * BLOCK_PAGES, INIT_PRIVATE_FLAGS);
	warm_up(&vm.vcpus[0]);
	for (uint64_t block = 0; block < 8; block++) {
		if (!guest_reads(block * BLOCK_PAGES, 1))
			return 1;
	}
	return vm_stat("gmem_huge_refused") && vm_stat("gmem_huge_allocated") < 6 ? 0 : 2;
}

static void test_limit(void)
{
	if (try_write_file(CGROUPS "cgroup.subtree_control", "+memory")) {
		skip("memory cgroups", "there is no memory controller at " CGROUPS);
		return;
	}
	check(mkdir(CGROUP, 0755), CGROUP);
	ok(returns(0, in_child(near_limit, NULL)),
	   "a guest uses a page of each 2 MiB: those that do not fit into the memory cgroup's limit are small");
	check(rmdir(CGROUP), CGROUP);
}

void test_huge(void)
{
	test_first_touch();
	test_host_first();
	test_allocated();
	test_pre_fault();
	test_converted();
	test_ranges();
	test_holes();
	test_held_page();
	test_poisoned();
	test_halves(BLOCK_PAGES, 2);
	test_halves(BLOCK_PAGES / 2, 0);
	test_misaligned(0, 1, 0);
	test_misaligned(1, 0, 0);
	test_misaligned(1, 1, 2);
	test_deleted();
	test_many();
	test_vcpus();
	test_limit();
}

/* --- two backings ------------------------------------------------------------------------ */

void test_huge_backings(void)
{
	uint8_t *memory = map_memory(AREA_GPA, PAGES * PAGE);
	struct counts before;

	create_vm(1);
	warm_up(&vm.vcpus[0]);
	work.fd = create_gmem(vm.fd, PAGES * PAGE);
	write_shared_words(memory, 0, PAGES);
	set_slot(WORK_SLOT, AREA_GPA, PAGES * PAGE, memory, work.fd);
	set(0, PAGES - 1, true);
	before = counts_now();
	guest_writes(0, PAGES - 1);
	ok(guest_reads(0, PAGES - 1) && counts_are(&before, BLOCKS - 1, 0, BLOCKS - 1 + BLOCK_PAGES - 1) &&
	   vm_stat("gmem_huge_allocated") == BLOCKS - 1,
	   "all pages but one are private: so are all hugepages but one, for which KVM allocates nothing");
	set(SOME, SOME + 1, false);
	ok(counts_are(&before, BLOCKS - 2, 1, BLOCKS - 1 + BLOCK_PAGES - 1), "a page becomes shared: the hugepage is split");
	before = counts_now();
	ok(guest_reads(0, SOME) && counts_are(&before, BLOCKS - 2, 0, 0) &&
	   guest_load(SOME) == (page_gpa(SOME) | SHARED_TAG) && counts_are(&before, BLOCKS - 2, 0, 1),
	   "the guest faults on that page only, and finds the other backing's");
	set(SOME, SOME + 1, true);
	ok(guest_reads(SOME, 1) && guest_reads(0, PAGES - 1) && counts_are(&before, BLOCKS - 1, 0, 2),
	   "it becomes private: one fault makes a hugepage, with what the guest has written");
	punch(SOME, 1);
	ok(counts_are(&before, BLOCKS - 2, 1, 2) && guest_reads(0, PAGES - 1) &&
	   vm_stat("pf_taken") - before.faults == 3, "it is punched out: the hugepage is split, one fault brings a zero page");
	set(BLOCK_PAGES, 2 * BLOCK_PAGES, false);
	punch(BLOCK_PAGES, BLOCK_PAGES);
	set(BLOCK_PAGES, 2 * BLOCK_PAGES, true);
	ok(guest_reads(0, PAGES - 1) && counts_are(&before, BLOCKS - 1, 1, 4), "all of it is, as it is shared: the next one is huge");
	destroy_vm();
	close(work.fd);
}
