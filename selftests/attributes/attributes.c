// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_SET_MEMORY_ATTRIBUTES as it is meant to be used: pages become what they were told to become,
 * whatever was set before (random), at once and for vCPUs that are using them (race), entirely or
 * not at all if there is no memory for it (fail), nothing else changes them (stays), and no vCPU
 * goes on with what its TLB has of them (flushes). debugfs lists what is set (listing). TAP.
 *
 * Nothing tells what a page's attributes are, so the guest touches it and what it finds says so.
 * Without guest_memfd a private page has no memory, which ends KVM_RUN with KVM_EXIT_MEMORY_FAULT.
 * With guest_memfd the private page is another one, with other content. --ranges also compares
 * with the kernel's own list in debugfs.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "failslab.h"
#include "listing.h"
#include "page_guest.h"
#include "ranges.h"
#include "tap.h"

#define COMPARE_EVERY	1000

struct range {
	uint64_t first, end;
};

static bool with_ranges;
static char ranges_expected[RANGES_SIZE];

/* --- what the guest finds ------------------------------------------------ */

/* With guest_memfd, whatever is in the private page. */
static bool is_shared_word_if_shared(uint32_t gpa, uint32_t word, bool private)
{
	return (word == (gpa | SHARED_TAG)) == !private && word != ABSENT;
}

/* --- random -------------------------------------------------------------- */

/* It begins amid a hugepage and ends at the end of one; ranges may go on at both sides. */
#define RANDOM_FIRST	(BLOCK_PAGES + 5u)
#define RANDOM_END	(BLOCK_PAGES * 9u)
#define RANDOM_PAGES	(RANDOM_END - RANDOM_FIRST)
#define RANDOM_AREA	(BLOCK_PAGES * 11u)

static struct range random_range(uint64_t *random)
{
	uint64_t kind = next_random(random) % 64;
	uint64_t unit = 1, pages = 1 + next_random(random) % 64;
	struct range within = { RANDOM_FIRST, RANDOM_END };
	uint64_t first;

	if (kind == 0)
		return within;
	if (kind <= 3)		/* it may reach outside, or be there altogether */
		within = (struct range) { 0, RANDOM_AREA };
	if (kind == 1 || kind == 4)
		pages = 1 + next_random(random) % (within.end - within.first);
	if (kind == 2 || kind == 5) {
		unit = BLOCK_PAGES;
		within.first = (within.first + unit - 1) / unit * unit;
		pages = unit * (1 + next_random(random) % 4);
	}
	first = (within.end - within.first - pages) / unit + 1;
	first = within.first + next_random(random) % first * unit;
	return (struct range) { first, first + pages };
}

static bool edges_are_right(struct vcpu *vcpu, const struct range *range)
{
	const uint64_t pages[] = {
		range->first - 1, range->first, range->end - 1, range->end,
		RANDOM_FIRST + next_random(&vcpu->random) % RANDOM_PAGES,
	};
	unsigned int count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (pages[i] >= RANDOM_FIRST && pages[i] < RANDOM_END)
			vcpu->list[count++] = page_gpa(pages[i]);
	vcpu->touched += count;
	return list_is_right(vcpu, count, is_word_or_absent);
}

/* FNV-1a of what the guest found in all pages. */
static uint64_t hash_found(const struct vcpu *vcpu)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (unsigned int i = 0; i < RANDOM_PAGES; i++)
		hash = (hash ^ (vcpu->found[i] == ABSENT)) * 0x100000001b3;
	return hash;
}

static void test_random(void)
{
	const unsigned long seed = part_numbers[0], operations = part_numbers[1];
	bool edges_right = true, all_right = true, ranges_right = true;
	struct vcpu *vcpu = &vm.vcpus[0];
	uint8_t *memory;

	create_vm(1);
	vcpu->random = seed_random(seed);
	memory = map_memory(page_gpa(RANDOM_FIRST), RANDOM_PAGES * PAGE);
	write_shared_words(memory, RANDOM_FIRST, RANDOM_PAGES);
	set_slot(WORK_SLOT, page_gpa(RANDOM_FIRST), RANDOM_PAGES * PAGE, memory, -1);

	for (unsigned long i = 1; i <= operations; i++) {
		struct range range = random_range(&vcpu->random);

		set(range.first, range.end, next_random(&vcpu->random) % 2);
		edges_right &= edges_are_right(vcpu, &range);
		if (i % COMPARE_EVERY && i != operations)
			continue;
		all_right &= pages_are_right(vcpu, RANDOM_FIRST, RANDOM_PAGES, is_word_or_absent);
		if (with_ranges)
			ranges_right &= ranges_are_right();
	}
	printf("# final %016lx\n", hash_found(vcpu));
	ok(operations && edges_right,
	   "after each of %lu operations the guest finds what is set at its edges", operations);
	ok(all_right, "every %d, and in the end, in all of its pages", COMPARE_EVERY);
	if (with_ranges)
		ok(ranges_right, "so does debugfs");
	printf("# %lu pages looked at one by one\n", vcpu->touched);
}

/* --- race ---------------------------------------------------------------- */

#define RACE_PAGES	16384u
#define RACE_RANGE	(2 * BLOCK_PAGES)	/* at most, that flip */
#define RACE_LIST	64
/* Many accesses and flips are in these pages, so that they meet. */
#define HOT_PAGES	64u
/* Where vCPUs write that race, so that the words that tell private from shared stay. */
#define SCRATCH		8

static _Atomic bool race_over;

static uint64_t race_page(uint64_t *random)
{
	return next_random(random) % (next_random(random) % 4 ? HOT_PAGES : RACE_PAGES);
}

/* A fault says that the page was just changing, the guest tries again. False if it is late. */
static bool race_list(struct vcpu *vcpu, const char *entry)
{
	start_guest(vcpu, entry, RACE_LIST, 0);
	while (run_guest(vcpu) == GUEST_FAULTED) {
		vcpu->faults++;
		if (race_over)
			return false;
	}
	vcpu->touched += RACE_LIST;
	return true;
}

static void *racer(void *arg)
{
	struct vcpu *vcpu = arg;

	while (!race_over) {
		for (int i = 0; i < RACE_LIST; i++)
			vcpu->list[i] = page_gpa(race_page(&vcpu->random));
		if (!race_list(vcpu, guest_read))
			break;
		/* Which of the two it was is not known here. */
		for (int i = 0; i < RACE_LIST; i++)
			vcpu->wrong += !is_own_word(vcpu->list[i], vcpu->found[i], true) &&
				       !is_own_word(vcpu->list[i], vcpu->found[i], false);
		for (int i = 0; i < RACE_LIST; i++)
			vcpu->list[i] += SCRATCH;
		race_list(vcpu, guest_write);
	}
	return NULL;
}

/* As soon as the ioctl has returned no page is as it was, and its neighbours are. */
static bool flip(struct vcpu *vcpu)
{
	uint64_t *random = &vcpu->random;
	uint64_t first = race_page(random), pages = 1 + next_random(random) % HOT_PAGES, end;
	unsigned int count = 0;

	switch (next_random(random) % 8) {
	case 0:
		first = next_random(random) % RACE_PAGES;
		pages = 1 + next_random(random) % RACE_RANGE;
		break;
	case 1:			/* so that there are hugepages again */
		first = next_random(random) % RACE_PAGES / BLOCK_PAGES * BLOCK_PAGES;
		pages = BLOCK_PAGES * (1 + next_random(random) % 2);
		break;
	}
	end = first + pages < RACE_PAGES ? first + pages : RACE_PAGES;

	set(first, end, next_random(random) % 2);
	vcpu->list[count++] = page_gpa(first);
	vcpu->list[count++] = page_gpa(end - 1);
	vcpu->list[count++] = page_gpa(first + next_random(random) % (end - first));
	if (first > 0)
		vcpu->list[count++] = page_gpa(first - 1);
	if (end < RACE_PAGES)
		vcpu->list[count++] = page_gpa(end);
	vcpu->touched += count;
	return list_is_right(vcpu, count, is_own_word);
}

/* Both kinds of each page get the word that is theirs for good. */
static void write_both_words(struct vcpu *vcpu)
{
	uint8_t *memory = map_memory(AREA_GPA, RACE_PAGES * PAGE);

	set_slot(WORK_SLOT, AREA_GPA, RACE_PAGES * PAGE, memory, create_gmem(vm.fd, RACE_PAGES * PAGE));
	set(0, RACE_PAGES, true);
	for (uint64_t page = 0; page < RACE_PAGES;) {
		for (unsigned int i = 0; i < LIST_WORDS; i++)
			vcpu->list[i] = page_gpa(page++);
		run_list(vcpu, guest_write, LIST_WORDS, PRIVATE_TAG);
	}
	set(0, RACE_PAGES, false);
	write_shared_words(memory, 0, RACE_PAGES);
}

static void test_race(void)
{
	struct vcpu *vcpu = &vm.vcpus[0], *racers = &vm.vcpus[1];
	unsigned long flips = 0;
	pthread_t threads[VCPUS - 1];
	bool flips_right = true;
	uint64_t end_ns;

	create_vm(VCPUS);
	for (int id = 0; id < VCPUS; id++)
		vm.vcpus[id].random = seed_random(id);
	write_both_words(vcpu);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		threads[i] = start_thread(racer, &racers[i]);
	end_ns = now_ns() + part_numbers[0] * 1000000000;
	for (; now_ns() < end_ns; flips++)
		flips_right &= flip(vcpu);
	race_over = true;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);

	printf("# %lu flips, %lu pages looked at after them\n", flips, vcpu->touched);
	ok(flips && flips_right, "after each flip the guest finds private or shared as it was set");
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		printf("# vCPU %zu: %lu pages touched, %lu faults\n", i + 1, racers[i].touched,
		       racers[i].faults);
		ok(racers[i].touched && !racers[i].wrong,
		   "vCPU %zu meanwhile finds pages' own words (%lu others)", i + 1,
		   racers[i].wrong);
	}
	ok(pages_are_right(vcpu, 0, RACE_PAGES, is_own_word), "afterwards all is as it was set");
	for (uint64_t page = 0; page + 3 <= RACE_PAGES; page += 3)
		set(page, page + 3, page % 2);
	ok(pages_are_right(vcpu, 0, RACE_PAGES, is_own_word), "and so is another pattern");
}

/* --- fail ---------------------------------------------------------------- */

struct conversion {
	const char *what;
	struct range before;		/* private, if not empty */
	struct range range;
	bool private;
	struct range after[2];
};

/* Large entries are of 64 and 64^2 blocks: 1/8 GiB and 8 GiB. The area's begin is no boundary. */
#define ALIGNED(gib)	((gib) * GIB_PAGES - AREA_GPA / PAGE)

static const struct conversion conversions[] = {
	{ "one page in an empty VM", { 0 }, { 3, 4 }, true, { { 3, 4 } } },
	{ "head and tail in different blocks", { 0 }, { 100, 3000 }, true, { { 100, 3000 } } },
	{ "a page far away from another", { 3, 4 }, { 300 * GIB_PAGES, 300 * GIB_PAGES + 1 }, true,
	  { { 3, 4 }, { 300 * GIB_PAGES, 300 * GIB_PAGES + 1 } } },
	{ "aligned blocks", { 0 }, { 7 * BLOCK_PAGES, 9 * BLOCK_PAGES }, true,
	  { { 7 * BLOCK_PAGES, 9 * BLOCK_PAGES } } },
	{ "a page in a large private range", { 0, ALIGNED(16) }, { 77777, 77778 }, false,
	  { { 0, 77777 }, { 77778, ALIGNED(16) } } },
	{ "a page in one large entry", { ALIGNED(8), ALIGNED(16) },
	  { ALIGNED(12) + 77, ALIGNED(12) + 78 }, false,
	  { { ALIGNED(8), ALIGNED(12) + 77 }, { ALIGNED(12) + 78, ALIGNED(16) } } },
	{ "a block in one large entry", { ALIGNED(8), ALIGNED(16) },
	  { ALIGNED(12), ALIGNED(12) + BLOCK_PAGES }, false,
	  { { ALIGNED(8), ALIGNED(12) }, { ALIGNED(12) + BLOCK_PAGES, ALIGNED(16) } } },
	{ "300 GiB, unaligned", { 0 }, { 1234, 1234 + 300 * GIB_PAGES + 77 }, true,
	  { { 1234, 1234 + 300 * GIB_PAGES + 77 } } },
	{ "300 GiB, unaligned, around 8 GiB", { ALIGNED(8), ALIGNED(16) },
	  { 1234, 1234 + 300 * GIB_PAGES + 77 }, true, { { 1234, 1234 + 300 * GIB_PAGES + 77 } } },
	{ "a part of a large range, back to shared", { 0, 300 * GIB_PAGES },
	  { ALIGNED(9) + 1, ALIGNED(77) + 777 }, false,
	  { { 0, ALIGNED(9) + 1 }, { ALIGNED(77) + 777, 300 * GIB_PAGES } } },
};

/* 0 or an errno. */
static int convert(int fd, const struct conversion *conversion)
{
	return try_set(fd, conversion->range.first, conversion->range.end, conversion->private);
}

static bool attempt(int fd, const struct conversion *conversion, unsigned int nth, bool lasting,
		    int *err, bool *happened)
{
	static char before[RANGES_SIZE];
	bool good = true;

	if (conversion->before.end)
		check(-try_set(fd, conversion->before.first, conversion->before.end, true),
		      "KVM_SET_MEMORY_ATTRIBUTES");
	read_ranges(fd, before);

	begin_failing(nth, lasting);
	*err = convert(fd, conversion);
	*happened = end_failing();

	if (*err) {
		if (*err != ENOMEM || !*happened)
			good = complain("allocation %u: %s", nth, strerror(*err));
		good &= ranges_are(fd, before);
		/* What can be seen may not be all that there is. */
		if (convert(fd, conversion))
			good = complain("allocation %u has failed, the next try fails", nth);
	}
	return ranges_are(fd, ranges_expected) && good;
}

/* Each attempt is in a new VM. */
static bool sweep(const struct conversion *conversion, bool lasting)
{
	unsigned int nth = 1, enomem = 0;
	bool good = true, happened;
	int err;

	for (;; nth++) {
		int fd = create_protected_vm_fd();

		good &= attempt(fd, conversion, nth, lasting, &err, &happened);
		close(fd);
		if (!happened)
			break;
		enomem += err == ENOMEM;
	}
	printf("# %u allocations, %s: %u times ENOMEM\n", nth - 1,
	       lasting ? "failing from one on" : "one failing", enomem);
	return good && (enomem || !lasting);
}

static void test_fail(void)
{
	if (!open_failslab())
		skip_all("the kernel has no CONFIG_FAILSLAB");
	for (size_t i = 0; i < ARRAY_SIZE(conversions); i++) {
		const struct conversion *conversion = &conversions[i];
		char *text = ranges_expected;
		bool good;

		for (size_t j = 0; j < ARRAY_SIZE(conversion->after); j++)
			if (conversion->after[j].end)
				text += print_range(text, conversion->after[j].first,
						    conversion->after[j].end);
		good = sweep(conversion, false);
		good &= sweep(conversion, true);
		ok(good, "%s: all or, if there is no memory, nothing", conversion->what);
	}
}

/* --- stays --------------------------------------------------------------- */

#define WORK_PAGES	(2 * BLOCK_PAGES)
#define PLAIN_FIRST	(4 * BLOCK_PAGES)
#define MOVED_FIRST	(7 * BLOCK_PAGES)
#define PLAIN_PAGES	(2 * BLOCK_PAGES)
#define STAYS_PAGES	(9 * BLOCK_PAGES)

static int work_gmem_fd;
static uint8_t *work_memory, *plain_memory;
static uint64_t plain_first = PLAIN_FIRST;

static bool state_is_right(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	bool right = pages_are_right(vcpu, 0, WORK_PAGES, is_shared_word_if_shared);

	right &= pages_are_right(vcpu, plain_first, PLAIN_PAGES, is_word_or_absent);
	if (with_ranges)
		right &= ranges_are_right();
	return right;
}

static unsigned int list_pages(struct vcpu *vcpu, uint64_t first, uint64_t pages, bool private)
{
	unsigned int count = 0;

	for (uint64_t page = first; page < first + pages; page++)
		if (vm.private[page] == private)
			vcpu->list[count++] = page_gpa(page);
	return count;
}

static bool touch(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	for (int private = 0; private < 2; private++) {
		unsigned int count = list_pages(vcpu, 0, WORK_PAGES, private);

		run_list(vcpu, guest_write, count, private ? PRIVATE_TAG : SHARED_TAG);
	}
	return pages_are_right(vcpu, 0, WORK_PAGES, is_own_word);
}

static bool fault(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	start_guest(vcpu, guest_write, list_pages(vcpu, plain_first, PLAIN_PAGES, true),
		    PRIVATE_TAG);
	/* Nobody does anything about it, and the guest only tries again. */
	for (int tries = 0; tries < 3; tries++)
		if (run_guest(vcpu) != GUEST_FAULTED || vcpu->run->memory_fault.gpa != *vcpu->list)
			return complain("no fault where a private page has no memory");
	return true;
}

static bool hypercall(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	struct kvm_regs *regs = &vcpu->run->s.regs.regs;
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_EXIT_HYPERCALL,
		.args = { 1 << KVM_HC_MAP_GPA_RANGE },
	};

	check(ioctl(vm.fd, KVM_ENABLE_CAP, &cap), "KVM_CAP_EXIT_HYPERCALL");
	for (int private = 0; private < 2; private++) {
		start_guest(vcpu, guest_hypercall, WORK_PAGES,
			    private ? KVM_MAP_GPA_RANGE_ENCRYPTED : KVM_MAP_GPA_RANGE_DECRYPTED);
		regs->rax = KVM_HC_MAP_GPA_RANGE;
		regs->rbx = AREA_GPA;
		if (run_guest(vcpu) != GUEST_CALLS ||
		    vcpu->run->hypercall.nr != KVM_HC_MAP_GPA_RANGE ||
		    vcpu->run->hypercall.args[0] != AREA_GPA)
			return complain("no hypercall");
		vcpu->run->hypercall.ret = 0;
		if (run_guest(vcpu) != GUEST_DONE || regs->rax)
			return complain("the hypercall did not return 0");
	}
	return true;
}

static bool pre_fault(void)
{
	check(-try_pre_fault_all(vm.vcpus[0].fd, AREA_GPA, WORK_PAGES * PAGE), "KVM_PRE_FAULT_MEMORY");
	/* It gets as far as the first private page. */
	return try_pre_fault_all(vm.vcpus[0].fd, page_gpa(plain_first), PLAIN_PAGES * PAGE) ||
	       complain("pages without memory were mapped");
}

static bool punch_hole(void)
{
	check(-try_punch(work_gmem_fd, 0, WORK_PAGES * PAGE), "fallocate");
	return true;
}

static bool recreate_slot(void)
{
	set_slot(WORK_SLOT, AREA_GPA, 0, work_memory, work_gmem_fd);
	set_slot(WORK_SLOT, AREA_GPA, WORK_PAGES * PAGE, work_memory, work_gmem_fd);
	return true;
}

static bool move_slot(void)
{
	plain_first = plain_first == PLAIN_FIRST ? MOVED_FIRST : PLAIN_FIRST;
	write_shared_words(plain_memory, plain_first, PLAIN_PAGES);
	set_slot(PLAIN_SLOT, page_gpa(plain_first), PLAIN_PAGES * PAGE, plain_memory, -1);
	return true;
}

static bool discard_shared(void)
{
	check(madvise(work_memory, WORK_PAGES * PAGE, MADV_DONTNEED), "madvise");
	write_shared_words(work_memory, 0, WORK_PAGES);
	return true;
}

static bool set_fails(void)
{
	static const struct {
		uint64_t address, size, attributes, flags;
	} cases[] = {
		{ AREA_GPA, WORK_PAGES * PAGE, 0, 1 },
		{ AREA_GPA, WORK_PAGES * PAGE, PRIVATE, 1 },
		{ AREA_GPA, WORK_PAGES * PAGE, PRIVATE | 1, 0 },
		{ AREA_GPA + 1, WORK_PAGES * PAGE, 0, 0 },
		{ AREA_GPA, WORK_PAGES * PAGE - 1, PRIVATE, 0 },
		{ AREA_GPA, -AREA_GPA, PRIVATE, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (try_set_flagged(vm.fd, cases[i].address, cases[i].size, cases[i].attributes,
				    cases[i].flags) != EINVAL)
			return complain("bad arguments %zu: no EINVAL", i);
	return true;
}

static void test_silence(void)
{
	struct kvm_memory_attributes *args = map_memory(0, PAGE);
	/* As it is, other than it is, the same again, as it was. */
	const bool differs[] = { false, true, true, false };
	bool silent = true, untouched = true;

	for (uint64_t i = 0; i < 64 * ARRAY_SIZE(differs); i++) {
		uint64_t page = i / ARRAY_SIZE(differs);
		bool private = vm.private[page] != differs[i % ARRAY_SIZE(differs)];
		const struct kvm_memory_attributes before = {
			.address = page_gpa(page),
			.size = PAGE,
			.attributes = private ? PRIVATE : 0,
		};

		*args = before;
		check(mprotect(args, PAGE, PROT_READ), "mprotect");
		silent &= ioctl(vm.fd, KVM_SET_MEMORY_ATTRIBUTES, args) == 0;
		untouched &= !memcmp(args, &before, sizeof(before));
		check(mprotect(args, PAGE, PROT_READ | PROT_WRITE), "mprotect");
	}
	ok(silent && untouched && state_is_right(),
	   "a set returns 0 and writes nothing, whether it changed something or not");
	ok(_IOC_DIR(KVM_SET_MEMORY_ATTRIBUTES) == _IOC_WRITE, "its ioctl can only be written to");
	errno = 0;
	ok(ioctl(vm.fd, _IOWR(KVMIO, _IOC_NR(KVM_SET_MEMORY_ATTRIBUTES),
			      struct kvm_memory_attributes), args) < 0 &&
	   errno == ENOTTY && state_is_right(), "there is none that could be read from");
}

static void test_stays(void)
{
	static const struct {
		const char *what;
		bool (*act)(void);
	} steps[] = {
		{ "reads and writes of the guest", touch },
		{ "memory faults", fault },
		{ "hypercalls that ask to convert", hypercall },
		{ "mapping memory beforehand", pre_fault },
		{ "a hole punched into guest_memfd", punch_hole },
		{ "deleting and creating a memslot", recreate_slot },
		{ "moving a memslot", move_slot },
		{ "moving it back", move_slot },
		{ "discarding shared memory", discard_shared },
		{ "bad arguments", set_fails },
		{ "all of that, more reads and writes", touch },
	};

	create_vm(1);
	work_memory = map_memory(AREA_GPA, WORK_PAGES * PAGE);
	plain_memory = map_memory(page_gpa(PLAIN_FIRST), PLAIN_PAGES * PAGE);
	write_shared_words(work_memory, 0, WORK_PAGES);
	write_shared_words(plain_memory, PLAIN_FIRST, PLAIN_PAGES);
	work_gmem_fd = create_gmem(vm.fd, WORK_PAGES * PAGE);
	set_slot(WORK_SLOT, AREA_GPA, WORK_PAGES * PAGE, work_memory, work_gmem_fd);
	set_slot(PLAIN_SLOT, page_gpa(PLAIN_FIRST), PLAIN_PAGES * PAGE, plain_memory, -1);

	/* Runs of 1 to 20 pages, other ones where the memslot moves to, and a whole hugepage. */
	for (uint64_t page = 1, pages = 1; page + pages < STAYS_PAGES; page += 2 * pages + 1) {
		set(page, page + pages, true);
		pages = pages % 20 + 1;
	}
	set(BLOCK_PAGES, 2 * BLOCK_PAGES, true);
	ok(state_is_right(), "a pattern is set");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		bool good = steps[i].act();

		ok(state_is_right() && good, "it stays after %s", steps[i].what);
	}
	test_silence();
}

/* --- flushes ------------------------------------------------------------- */

/* In each round KVM yields at other places. */
#define FLUSH_ROUNDS	4

static _Atomic bool flushes_over;

/* Under emulation no vCPU keeps its TLB long enough to show that a flush is missing, so count. */
static bool set_flushes(uint64_t first, uint64_t end, bool private)
{
	unsigned long long before = vm_stat("remote_tlb_flush_requests");

	set(first, end, private);
	return vm_stat("remote_tlb_flush_requests") > before;
}

static void *wants_cpu(void *unused)
{
	(void)unused;
	while (!flushes_over)
		;
	return NULL;
}

static bool flushes_if_it_yields(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	bool flushed = true;
	pthread_t thread;
	cpu_set_t cpu;

	/* Both threads share a CPU, so that a long conversion has to yield to the other. */
	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	check(sched_setaffinity(0, sizeof(cpu), &cpu), "sched_setaffinity");
	for (int round = 0; round < FLUSH_ROUNDS; round++) {
		for (uint64_t page = 1; page < AREA_PAGES; page += 2)
			set(page, page + 1, true);
		run_list(vcpu, guest_read, 1, 0);
		flushes_over = false;
		thread = start_thread(wants_cpu, NULL);
		flushed &= set_flushes(0, AREA_PAGES, true);
		flushes_over = true;
		pthread_join(thread, NULL);
		set(0, AREA_PAGES, false);
	}
	return flushed;
}

static void test_flushes(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	create_vm(1);
	set_slot(WORK_SLOT, AREA_GPA, AREA_PAGES * PAGE, map_memory(AREA_GPA, AREA_PAGES * PAGE),
		 create_gmem(vm.fd, AREA_PAGES * PAGE));
	vcpu->list[0] = page_gpa(0);
	run_list(vcpu, guest_read, 1, 0);
	ok(set_flushes(0, 1, true), "a shared page that is mapped turns private: TLBs are flushed");
	run_list(vcpu, guest_read, 1, 0);
	ok(set_flushes(0, 1, false), "and back: TLBs are flushed");
	ok(flushes_if_it_yields(),
	   "it is the first of %u pages, every other of which changes: TLBs are flushed", AREA_PAGES);
}

/* ------------------------------------------------------------------------- */

static const struct test_part parts[] = {
	{ "random", "SEED OPERATIONS", test_random },
	{ "race", "SECONDS", test_race },
	{ "fail", "", test_fail },
	{ "stays", "", test_stays },
	{ "flushes", "", test_flushes },
	{ "listing", "", test_listing },
};

int main(int argc, char **argv)
{
	/* For random and stays. */
	with_ranges = !strcmp(argv[argc - 1], "--ranges");
	return run_part(argc - with_ranges, argv, parts, ARRAY_SIZE(parts));
}
