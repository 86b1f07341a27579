// SPDX-License-Identifier: GPL-2.0
/*
 * The contract of KVM_PRE_FAULT_MEMORY: what it says to what cannot succeed, and how far it got
 * (contract; shadow, if KVM was loaded without npt or ept), also if signals come (signals); that it
 * ends when memslots are deleted or moved (slots), that vCPUs do it at the same time (parallel); that
 * whatever was pre-faulted is what the guest has to find there (random), also if holes are punched
 * (holes) or attributes flip (flips) meanwhile. TAP.
 *
 * spins shows how the stock kernel fails: it says what takes a signal to end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "touch.h"

#define MS		1000000ull	/* ns */
#define TOO_LATE	(1000 * MS)	/* for a memslot, or a call that is not to go on */
#define SPIN_S		5		/* after that long a signal ends what does not end */
/* So often others may have had the CPU for as long. */
#define LATE_ROUNDS(n)	(1 + (n) / 50)

/* In the way of nothing else. */
#define FAR_PAGE	8192u

enum { COW_SLOT = PLAIN_SLOT + 1, GONE_SLOT, NEXT_SLOT, HIGH_SLOT };

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* Returns 0 or an errno. */
static int try_pre_fault(struct vcpu *vcpu, struct kvm_pre_fault_memory *range)
{
	return ioctl(vcpu->fd, KVM_PRE_FAULT_MEMORY, range) ? errno : 0;
}

static struct kvm_pre_fault_memory range_of(uint64_t first, uint64_t pages)
{
	return (struct kvm_pre_fault_memory) { .gpa = page_gpa(first), .size = pages * PAGE };
}

static bool range_is(const struct kvm_pre_fault_memory *range, uint64_t first, uint64_t pages)
{
	return (range->gpa == page_gpa(first) && range->size == pages * PAGE) ||
	       complain("left are 0x%" PRIx64 " bytes at 0x%" PRIx64, (uint64_t)range->size,
			(uint64_t)range->gpa);
}

/* One call. An error means that nothing was done, success that something was. */
static int pre_fault_some(struct vcpu *vcpu, struct kvm_pre_fault_memory *range)
{
	const struct kvm_pre_fault_memory before = *range;
	int err = try_pre_fault(vcpu, range);

	if (range->gpa + range->size == before.gpa + before.size &&
	    (err ? range->size == before.size : range->size < before.size))
		return err;
	complain("%s, of 0x%" PRIx64 " bytes 0x%" PRIx64 " are left", strerror(err),
		 (uint64_t)before.size, (uint64_t)range->size);
	return EPROTO;
}

/* As many calls as it takes. */
static int pre_fault(struct vcpu *vcpu, uint64_t first, uint64_t pages)
{
	struct kvm_pre_fault_memory range = range_of(first, pages);
	int err = 0;

	while (range.size && !err)
		err = pre_fault_some(vcpu, &range);
	return err;
}

static bool pre_fault_ends_with(int expected, uint64_t first, uint64_t pages)
{
	int err = pre_fault(&vm.vcpus[0], first, pages);

	return err == expected || complain("%s, not %s", strerror(err), strerror(expected));
}

/* Pages of the area that the guest has written to while they were private. */
static bool written[AREA_PAGES];

/* Private pages that were not written to read as zero. */
static bool is_content(uint32_t gpa, uint32_t word, bool private)
{
	if (private && !written[(gpa - AREA_GPA) / PAGE])
		return !word;
	return is_own_word(gpa, word, private);
}

/* The guest puts their words into the private ones of these pages. */
static void write_private(struct vcpu *vcpu, uint64_t first, uint64_t pages)
{
	unsigned int count = 0;

	for (uint64_t page = first; page < first + pages; page++) {
		if (vm.private[page]) {
			vcpu->list[count++] = page_gpa(page);
			written[page] = true;
		}
		if (count == LIST_WORDS || (count && page == first + pages - 1)) {
			run_list(vcpu, guest_write, count, PRIVATE_TAG);
			count = 0;
		}
	}
}

/* What the guest itself needs, its code and lists, is mapped. */
static void warm_up(struct vcpu *vcpu)
{
	for (unsigned int i = 0; i < LIST_WORDS; i++)
		vcpu->list[i] = CODE_GPA;
	run_list(vcpu, guest_read, LIST_WORDS, 0);
}

/* The content is right, and it takes no fault to see that. */
static bool pages_are_ready(struct vcpu *vcpu, uint64_t first, uint64_t pages)
{
	unsigned long long faults = vm_stat("pf_taken");
	bool right = pages_are_right(vcpu, first, pages, is_content);

	faults = vm_stat("pf_taken") - faults;
	return right && (!faults || complain("%llu faults in pages %lu to %lu", faults, first,
					     first + pages));
}

/* A memslot at the beginning of the area, shared. Returns its guest_memfd. */
static int create_work(uint64_t pages)
{
	uint8_t *memory = map_memory(AREA_GPA, pages * PAGE);
	int gmem_fd = create_gmem(pages * PAGE);

	write_shared_words(memory, 0, pages);
	set_slot(WORK_SLOT, AREA_GPA, pages * PAGE, memory, gmem_fd);
	return gmem_fd;
}

static void punch(int gmem_fd, uint64_t first, uint64_t pages)
{
	check(fallocate(gmem_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, first * PAGE,
			pages * PAGE), "fallocate");
	memset(written + first, 0, pages);
}

static pthread_t start_thread(void *(*function)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, function, arg))
		bail_out("pthread_create");
	return thread;
}

/* --- contract ------------------------------------------------------------ */

#define WORK_PAGES	(3 * BLOCK_PAGES)
#define PLAIN_FIRST	(WORK_PAGES + BLOCK_PAGES)
#define PLAIN_PAGES	64u
#define NO_MEMORY	10u		/* this one of them is private, without guest_memfd */
#define GONE_FIRST	(PLAIN_FIRST + BLOCK_PAGES)
#define COW_FIRST	(GONE_FIRST + BLOCK_PAGES)
#define COW_PAGES	64u

static void test_einval(void)
{
	static const struct {
		const char *what;
		uint64_t gpa, size, flags;
	} cases[] = {
		{ "an unaligned gpa", AREA_GPA + 1, PAGE, 0 },
		{ "a gpa that is not page aligned", AREA_GPA + PAGE / 2, PAGE, 0 },
		{ "an unaligned size", AREA_GPA, PAGE + 1, 0 },
		{ "a size below a page", AREA_GPA, 1, 0 },
		{ "a size of 0", AREA_GPA, 0, 0 },
		{ "an end that overflows", -PAGE, 2 * PAGE, 0 },
		{ "an end of 0", AREA_GPA, -AREA_GPA, 0 },
		{ "flags", AREA_GPA, PAGE, 1 },
		{ "other flags", AREA_GPA, PAGE, 1ull << 63 },
		{ "a gpa that takes more than 48 bits", 1ull << 48, PAGE, 0 },
		{ "a gpa of more than 48 bits that is one of memory without them",
		  1ull << 48 | AREA_GPA, PAGE, 0 },
		{ "the last page that there can be", -2 * PAGE, PAGE, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kvm_pre_fault_memory range = {
			.gpa = cases[i].gpa,
			.size = cases[i].size,
			.flags = cases[i].flags,
		};
		int err = try_pre_fault(&vm.vcpus[0], &range);

		ok(err == EINVAL && range.gpa == cases[i].gpa && range.size == cases[i].size,
		   "%s: EINVAL (%s)", cases[i].what, strerror(err));
	}
}

/* A memslot may be where no page table of four levels gets to. */
static void test_high_memslot(void)
{
	static const char what[] = "memory that the vCPU's page tables cannot address: EINVAL";
	const uint64_t gpa = 1ull << 48;
	struct kvm_userspace_memory_region2 region = {
		.slot = HIGH_SLOT,
		.guest_phys_addr = gpa,
		.memory_size = PAGE,
		.userspace_addr = (uintptr_t)map_memory(gpa, PAGE),
	};
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = PAGE };

	if (ioctl(vm.fd, KVM_SET_USER_MEMORY_REGION2, &region)) {
		ok(true, "%s # SKIP the host's addresses are shorter, there is no such memslot",
		   what);
		return;
	}
	ok(try_pre_fault(&vm.vcpus[0], &range) == EINVAL, "%s", what);
	set_slot(HIGH_SLOT, gpa, 0, NULL, -1);
}

static void test_no_memory(void)
{
	struct kvm_pre_fault_memory range = range_of(WORK_PAGES - 8, 16);
	struct vcpu *vcpu = &vm.vcpus[0];
	uint8_t *gone = map_memory(page_gpa(GONE_FIRST), 2 * PAGE);

	ok(pre_fault_ends_with(ENOENT, FAR_PAGE, 8), "no memslot, shared: ENOENT");
	set(FAR_PAGE, FAR_PAGE + 8, true);
	ok(pre_fault_ends_with(ENOENT, FAR_PAGE, 8), "no memslot, private: ENOENT");
	ok(pre_fault_ends_with(ENOENT, WORK_PAGES, 1), "right behind a memslot: ENOENT");

	for (int private = 0; private < 2; private++) {
		const char *how = private ? "private" : "shared";
		int err;

		set(0, WORK_PAGES, private);
		range = range_of(WORK_PAGES - 8, 16);
		err = pre_fault_some(vcpu, &range);
		ok(!err && range_is(&range, WORK_PAGES, 8),
		   "a range leaves its memslot, %s: success, and what is left is told", how);
		err = pre_fault_some(vcpu, &range);
		ok(err == ENOENT && range_is(&range, WORK_PAGES, 8),
		   "the next call: ENOENT, nothing changes (%s)", strerror(err));
	}

	set(PLAIN_FIRST + NO_MEMORY, PLAIN_FIRST + NO_MEMORY + 1, true);
	range = range_of(PLAIN_FIRST, PLAIN_PAGES);
	ok(!pre_fault_some(vcpu, &range) &&
	   range_is(&range, PLAIN_FIRST + NO_MEMORY, PLAIN_PAGES - NO_MEMORY),
	   "a private page without guest_memfd ends a range: success");
	ok(pre_fault_some(vcpu, &range) == EFAULT, "the next call: EFAULT");
	ok(pre_fault_ends_with(0, PLAIN_FIRST + NO_MEMORY + 1, PLAIN_PAGES - NO_MEMORY - 1),
	   "the pages behind it: success");

	set_slot(GONE_SLOT, page_gpa(GONE_FIRST), 2 * PAGE, gone, -1);
	check(munmap(gone + PAGE, PAGE), "munmap");
	range = range_of(GONE_FIRST, 2);
	ok(!pre_fault_some(vcpu, &range) && range_is(&range, GONE_FIRST + 1, 1) &&
	   pre_fault_some(vcpu, &range) == EFAULT,
	   "memory that userspace has unmapped: success so far, then EFAULT");
}

/* The argument itself, and who may pass it. */
static void test_argument(void)
{
	struct kvm_pre_fault_memory *read_only = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
						      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vcpu *vcpu = &vm.vcpus[0];
	int status;
	pid_t pid;

	if (read_only == MAP_FAILED)
		bail_out("mmap");
	*read_only = range_of(0, 1);
	check(mprotect(read_only, PAGE, PROT_READ), "mprotect");
	ok(try_pre_fault(vcpu, (void *)8) == EFAULT, "an argument at a bad address: EFAULT");
	ok(try_pre_fault(vcpu, (void *)-PAGE) == EFAULT, "one in the kernel: EFAULT");
	ok(try_pre_fault(vcpu, read_only) == EFAULT, "one that cannot be written to: EFAULT");

	pid = check(fork(), "fork");
	if (!pid) {
		struct kvm_pre_fault_memory range = range_of(0, 1);

		_exit(try_pre_fault(vcpu, &range));
	}
	check(waitpid(pid, &status, 0), "waitpid");
	ok(WIFEXITED(status) && WEXITSTATUS(status) == EIO, "another process's vCPU: EIO");
	/* What is written to after a fork is copied, the guest's lists too. */
	warm_up(vcpu);
}

static void test_success(int gmem_fd)
{
	struct kvm_pre_fault_memory range = range_of(0, WORK_PAGES);
	struct vcpu *vcpu = &vm.vcpus[0];
	unsigned long long pages;
	unsigned int count = 0;
	int err;

	set(0, WORK_PAGES, false);
	set(0, WORK_PAGES, true);
	punch(gmem_fd, 0, WORK_PAGES);
	for (uint64_t page = 1; page < WORK_PAGES; page += 3)
		vcpu->list[count++] = page_gpa(page);
	run_list(vcpu, guest_read, count, 0);
	pages = vm_stat("pages_4k");
	err = pre_fault_some(vcpu, &range);
	ok(!err && range_is(&range, WORK_PAGES, 0),
	   "a whole memslot, a third of it mapped: success, size is 0, gpa is the end");
	ok(vm_stat("pages_4k") == pages + WORK_PAGES - count, "all of it is mapped, and only that");
	ok(pages_are_ready(vcpu, 0, WORK_PAGES), "it reads as zero, without a fault");

	write_private(vcpu, 0, WORK_PAGES);
	pages = vm_stat("pages_4k");
	range = range_of(0, WORK_PAGES);
	err = pre_fault_some(vcpu, &range);
	ok(!err && range_is(&range, WORK_PAGES, 0) && vm_stat("pages_4k") == pages,
	   "what is mapped counts as done, and stays as it is");
	ok(pages_are_ready(vcpu, 0, WORK_PAGES), "it keeps what the guest has written");

	set(0, WORK_PAGES, false);
	ok(pre_fault_ends_with(0, 0, WORK_PAGES) && pages_are_ready(vcpu, 0, WORK_PAGES),
	   "turned to shared memory and pre-faulted: the guest finds that");
	set(0, WORK_PAGES, true);
	ok(pre_fault_ends_with(0, 0, WORK_PAGES) && pages_are_ready(vcpu, 0, WORK_PAGES),
	   "and back: what the guest had written is there again");

	set(0, WORK_PAGES, false);
	set(0, WORK_PAGES, true);
	punch(gmem_fd, 0, WORK_PAGES);
	for (uint64_t page = 0; page < WORK_PAGES; page += 3)
		check(fallocate(gmem_fd, FALLOC_FL_KEEP_SIZE, page * PAGE, PAGE), "fallocate");
	ok(pre_fault_ends_with(0, 0, WORK_PAGES) && pages_are_ready(vcpu, 0, WORK_PAGES),
	   "every third page was allocated before: all read as zero");
	write_private(vcpu, 0, WORK_PAGES);
	ok(pages_are_ready(vcpu, 0, WORK_PAGES), "and each is a page of its own");
}

/* Private pages, first to @pages, go on in the next memslot. */
static void test_neighbours(void)
{
	uint8_t *memory = map_memory(page_gpa(WORK_PAGES), 8 * PAGE);

	write_shared_words(memory, WORK_PAGES, 8);
	set_slot(NEXT_SLOT, page_gpa(WORK_PAGES), 8 * PAGE, memory, create_gmem(8 * PAGE));
	set(WORK_PAGES, WORK_PAGES + 4, true);
	ok(pre_fault_ends_with(0, WORK_PAGES - 8, 16) &&
	   pages_are_ready(&vm.vcpus[0], WORK_PAGES - 8, 16),
	   "a range over two memslots, private and shared");
}

/* In kB, of the mapping that begins at @memory. */
static long read_smaps(const void *memory, const char *name)
{
	char line[300], start[40];
	bool found = false;
	long value = -1;
	FILE *file = fopen("/proc/self/smaps", "r");

	if (!file)
		bail_out("/proc/self/smaps");
	snprintf(start, sizeof(start), "%lx-", (unsigned long)memory);
	while (value < 0 && fgets(line, sizeof(line), file)) {
		found |= !strncmp(line, start, strlen(start));
		if (found && !strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			value = atol(line + strlen(name) + 1);
	}
	fclose(file);
	return value;
}

static void test_cow(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	int fd = check(memfd_create("cow", 0), "memfd_create");
	uint8_t *shared, *copied;

	check(ftruncate(fd, COW_PAGES * PAGE), "ftruncate");
	/* Mapped twice, its pages are nobody's private ones. */
	shared = mmap(NULL, COW_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	copied = mmap(NULL, COW_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (shared == MAP_FAILED || copied == MAP_FAILED)
		bail_out("mmap");
	write_shared_words(shared, COW_FIRST, COW_PAGES);
	set_slot(COW_SLOT, page_gpa(COW_FIRST), COW_PAGES * PAGE, copied, -1);

	ok(pre_fault_ends_with(0, COW_FIRST, COW_PAGES) &&
	   pages_are_ready(vcpu, COW_FIRST, COW_PAGES), "memory to be copied on write");
	printf("# Rss %ld kB, Anonymous %ld kB, Private_Dirty %ld kB\n", read_smaps(copied, "Rss"),
	       read_smaps(copied, "Anonymous"), read_smaps(copied, "Private_Dirty"));
	ok(read_smaps(copied, "Rss") == COW_PAGES * 4 && !read_smaps(copied, "Anonymous") &&
	   !read_smaps(copied, "Private_Dirty"), "is mapped, and not copied");
	vcpu->list[0] = page_gpa(COW_FIRST + 1);
	run_list(vcpu, guest_write, 1, SHARED_TAG | PRIVATE_TAG);
	ok(read_smaps(copied, "Anonymous") == 4 &&
	   *(uint32_t *)(shared + PAGE) == (page_gpa(COW_FIRST + 1) | SHARED_TAG),
	   "until the guest writes: that page is");
}

static volatile sig_atomic_t bus_errors;

static void count_bus_error(int signal)
{
	(void)signal;
	bus_errors++;
}

static void test_poison(uint8_t *plain)
{
	static const char what[] = "poisoned memory: success up to it, then EHWPOISON, no SIGBUS";
	struct sigaction action = { .sa_handler = count_bus_error };
	struct kvm_pre_fault_memory range = range_of(PLAIN_FIRST + 20, 8);
	struct vcpu *vcpu = &vm.vcpus[0];
	int err;

	sigaction(SIGBUS, &action, NULL);
	if (madvise(plain + 24 * PAGE, PAGE, MADV_HWPOISON)) {
		ok(true, "%s # SKIP madvise(MADV_HWPOISON): %s, the kernel has no CONFIG_MEMORY_FAILURE",
		   what, strerror(errno));
		return;
	}
	/* Whoever has such a page mapped gets a signal at once, which KVM has nothing to do with. */
	bus_errors = 0;
	err = pre_fault_some(vcpu, &range);
	ok(!err && range_is(&range, PLAIN_FIRST + 24, 4) &&
	   pre_fault_some(vcpu, &range) == EHWPOISON && !bus_errors, "%s", what);
}

static void test_contract(void)
{
	uint8_t *plain;
	int gmem_fd;

	create_vm(1);
	warm_up(&vm.vcpus[0]);
	gmem_fd = create_work(WORK_PAGES);
	plain = map_memory(page_gpa(PLAIN_FIRST), PLAIN_PAGES * PAGE);
	write_shared_words(plain, PLAIN_FIRST, PLAIN_PAGES);
	set_slot(PLAIN_SLOT, page_gpa(PLAIN_FIRST), PLAIN_PAGES * PAGE, plain, -1);

	test_einval();
	test_high_memslot();
	ok(pages_are_right(&vm.vcpus[0], 0, WORK_PAGES, is_content),
	   "after all that the guest finds its memory as it was");
	test_no_memory();
	test_argument();
	test_success(gmem_fd);
	test_neighbours();
	test_cow();
	test_poison(plain);
}

/* --- shadow -------------------------------------------------------------- */

static void test_shadow(void)
{
	struct kvm_pre_fault_memory range = { .gpa = CODE_GPA, .size = PAGE };
	struct vcpu *vcpu = &vm.vcpus[0];
	int err;

	create_plain_vm(1);
	err = pre_fault_some(vcpu, &range);
	ok(err == EOPNOTSUPP, "shadow page tables: EOPNOTSUPP (%s)", strerror(err));
	ok(pre_fault_ends_with(EOPNOTSUPP, FAR_PAGE, 1), "whether there is a memslot or not");
	warm_up(vcpu);
	ok(vcpu->found[0] == *(uint32_t *)guest_read, "the guest runs");
}

/* --- signals ------------------------------------------------------------- */

#define INTERVAL_US	2000

static void ignore_signal(int signal)
{
	(void)signal;
}

static void test_signals(uint64_t mib)
{
	struct itimerval timer = { { 0, INTERVAL_US }, { 0, INTERVAL_US } };
	struct sigaction action = { .sa_handler = ignore_signal };
	unsigned long calls = 0, partial = 0, interrupted = 0, others = 0;
	const uint64_t pages = mib * 256;
	struct vcpu *vcpu = &vm.vcpus[0];
	struct kvm_pre_fault_memory range = range_of(0, pages);
	unsigned long long faults;
	uint64_t random = seed_random(mib);
	bool right = true;

	create_vm(1);
	set_slot(WORK_SLOT, AREA_GPA, pages * PAGE, map_memory(AREA_GPA, pages * PAGE),
		 create_gmem(pages * PAGE));
	check(try_set(vm.fd, 0, pages, true), "KVM_SET_MEMORY_ATTRIBUTES");
	sigaction(SIGALRM, &action, NULL);
	check(setitimer(ITIMER_REAL, &timer, NULL), "setitimer");
	while (range.size && !others) {
		int err = pre_fault_some(vcpu, &range);

		calls++;
		partial += !err && range.size;
		interrupted += err == EINTR;
		others += err && err != EINTR;
	}
	timer = (struct itimerval) { 0 };
	check(setitimer(ITIMER_REAL, &timer, NULL), "setitimer");

	printf("# %lu calls, %lu got somewhere, %lu EINTR\n", calls, partial, interrupted);
	ok(partial, "%" PRIu64 " MiB, a signal every %d us: success, with a rest", mib, INTERVAL_US);
	ok(!others, "EINTR only if nothing was done");
	ok(range_is(&range, pages, 0), "calling on finishes it");
	ok(vm_stat("pages_4k") == pages, "and all pages are mapped, once");

	warm_up(vcpu);
	faults = vm_stat("pf_taken");
	for (unsigned int i = 0; i < LIST_WORDS; i++)
		vcpu->list[i] = page_gpa(next_random(&random) % pages);
	run_list(vcpu, guest_read, LIST_WORDS, 0);
	for (unsigned int i = 0; i < LIST_WORDS; i++)
		right &= !vcpu->found[i];
	ok(right && vm_stat("pf_taken") == faults, "the guest finds zeroes, without a fault");
}

/* --- slots, spins -------------------------------------------------------- */

#define SLOT_PAGES	(2 * BLOCK_PAGES)
#define AWAY		(4 * BLOCK_PAGES)	/* where it is moved to */

struct slot_kind {
	const char *what;
	bool plain_vm;			/* in which all page tables become obsolete */
	bool private;
	bool moves;
};

static const struct slot_kind slot_kinds[] = {
	{ "private memory deleted", false, true, false },
	{ "shared memory deleted", false, false, false },
	{ "shared memory moved", false, false, true },
	{ "memory of a plain VM deleted", true, false, false },
	{ "memory of a plain VM moved", true, false, true },
};

/* What becomes of a vCPU that pre-faults the memslot all the time. */
static struct {
	_Atomic unsigned long calls, done, again, absent, others, late;
	_Atomic int other;		/* the last errno of those */
	_Atomic bool spun, over;
	uint64_t longest;
} loop;

static uint8_t *slot_memory;
static int slot_gmem_fd;

static void *loop_pre_faults(void *unused)
{
	sigset_t alarms;

	(void)unused;
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
	while (!loop.over) {
		struct kvm_pre_fault_memory range = range_of(0, SLOT_PAGES);
		uint64_t start = now_ns(), ns;
		int err = pre_fault_some(&vm.vcpus[0], &range);

		ns = now_ns() - start;
		loop.longest = ns > loop.longest ? ns : loop.longest;
		loop.late += ns > TOO_LATE;
		loop.calls++;
		switch (err) {
		case 0:
			/* A rest is what was deleted in the middle of it. */
			loop.done += !range.size;
			break;
		case EAGAIN:
			loop.again++;
			break;
		case ENOENT:
			loop.absent++;
			break;
		case EINTR:
			loop.spun = true;
			return NULL;
		default:
			loop.other = err;
			loop.others++;
		}
		/* As often it got so far that the signal came after some pages. */
		if (!err && ns > (SPIN_S - 1) * 1000 * MS) {
			loop.spun = true;
			return NULL;
		}
	}
	return NULL;
}

/* Waits for @counter to grow. */
static bool grows(const _Atomic unsigned long *counter)
{
	const unsigned long before = *counter;
	const uint64_t start = now_ns();

	while (*counter == before && !loop.spun && now_ns() - start < 10 * TOO_LATE)
		usleep(200);
	return *counter != before && now_ns() - start < TOO_LATE;
}

static uint64_t change_slot(uint64_t first, uint64_t pages)
{
	uint64_t start = now_ns();

	set_slot(WORK_SLOT, page_gpa(first), pages * PAGE, slot_memory, slot_gmem_fd);
	return now_ns() - start;
}

static void create_slot_vm(const struct slot_kind *kind, int vcpus)
{
	if (kind->plain_vm)
		create_plain_vm(vcpus);
	else
		create_vm(vcpus);
	slot_memory = map_memory(AREA_GPA, SLOT_PAGES * PAGE);
	write_shared_words(slot_memory, 0, SLOT_PAGES);
	/* A memslot with guest_memfd cannot be moved. */
	slot_gmem_fd = kind->private ? create_gmem(SLOT_PAGES * PAGE) : -1;
	change_slot(0, SLOT_PAGES);
	if (kind->private)
		set(0, SLOT_PAGES, true);
}

static void destroy_slot_vm(void)
{
	if (slot_gmem_fd >= 0)
		close(slot_gmem_fd);
	destroy_vm();
}

/* A memslot comes and goes under a vCPU that pre-faults it. */
static void slot_comes_and_goes(const struct slot_kind *kind, unsigned long rounds)
{
	unsigned long round, late = 0;
	uint64_t longest = 0, ns;
	pthread_t thread;

	create_slot_vm(kind, 1);
	memset(&loop, 0, sizeof(loop));
	thread = start_thread(loop_pre_faults, NULL);
	for (round = 0; round < rounds && !loop.spun; round++) {
		alarm(SPIN_S);
		late += !grows(&loop.done);
		if (loop.spun)
			break;
		ns = kind->moves ? change_slot(AWAY, SLOT_PAGES) : change_slot(0, 0);
		longest = ns > longest ? ns : longest;
		late += ns > TOO_LATE || !grows(&loop.absent);
		ns = change_slot(0, SLOT_PAGES);
		longest = ns > longest ? ns : longest;
		late += ns > TOO_LATE;
	}
	late += !grows(&loop.done);
	loop.over = true;
	pthread_join(thread, NULL);
	alarm(0);

	printf("# %lu rounds, %lu calls: %lu done, %lu EAGAIN, %lu ENOENT, longest %" PRIu64
	       " ms; memslot, longest %" PRIu64 " ms\n", round, loop.calls, loop.done, loop.again,
	       loop.absent, (uint64_t)(loop.longest / MS), (uint64_t)(longest / MS));
	ok(!loop.spun && round == rounds, "%s and back %lu times: pre-faults never hang",
	   kind->what, rounds);
	ok(!loop.others, "it is EAGAIN or ENOENT in between (%s)",
	   loop.others ? strerror(loop.other) : "nothing else");
	ok(late + loop.late <= LATE_ROUNDS(rounds),
	   "all of it, and that the memory can be pre-faulted again, within a second each "
	   "(%lu later)", late + loop.late);
	destroy_slot_vm();
}

static void *delete_slot(void *deleted)
{
	usleep(20000);
	change_slot(0, 0);
	*(_Atomic bool *)deleted = true;
	return NULL;
}

/* Returns whether it takes a signal to end pre-faults of a memslot that is being deleted. */
static bool deletion_spins(const struct slot_kind *kind)
{
	bool spins = false;

	/* It can happen that the vCPU is just not there. */
	for (int i = 0; i < 10 && !spins; i++) {
		_Atomic bool deleted = false;
		pthread_t thread, looping;

		create_slot_vm(kind, 1);
		memset(&loop, 0, sizeof(loop));
		alarm(SPIN_S);
		looping = start_thread(loop_pre_faults, NULL);
		thread = start_thread(delete_slot, &deleted);
		while (!deleted && !loop.spun)
			usleep(1000);
		loop.over = true;
		pthread_join(thread, NULL);
		pthread_join(looping, NULL);
		alarm(0);
		spins = loop.spun;
		destroy_slot_vm();
	}
	return spins;
}

/*
 * A vCPU pre-faults a memslot, which is deleted and created again, so that the page tables that the
 * vCPU has are obsolete. Returns what comes of the next pre-fault.
 */
static int pre_fault_recreated(const struct slot_kind *kind, uint64_t first)
{
	sigset_t alarms;
	int err;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	check(pre_fault(&vm.vcpus[0], 0, SLOT_PAGES) ? -1 : 0, "KVM_PRE_FAULT_MEMORY");
	change_slot(0, 0);
	write_shared_words(slot_memory, first, SLOT_PAGES);
	change_slot(first, SLOT_PAGES);
	if (kind->private)
		set(first, first + SLOT_PAGES, true);
	alarm(SPIN_S);
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
	err = pre_fault(&vm.vcpus[0], first, SLOT_PAGES);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	alarm(0);
	return err;
}

/* Whoever pre-faults in a loop, and nobody else, gets the alarm. */
static void prepare_alarms(void)
{
	struct sigaction action = { .sa_handler = ignore_signal };
	sigset_t alarms;

	sigaction(SIGALRM, &action, NULL);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
}

static void test_slots(unsigned long rounds)
{
	prepare_alarms();
	for (size_t i = 0; i < ARRAY_SIZE(slot_kinds); i++) {
		const struct slot_kind *kind = &slot_kinds[i];

		for (int away = 0; away < 2 && !kind->moves; away++) {
			uint64_t first = away ? AWAY : 0;
			int err;

			create_slot_vm(kind, 1);
			warm_up(&vm.vcpus[0]);
			err = pre_fault_recreated(kind, first);
			/* The guest's own memory has to be mapped anew, too. */
			warm_up(&vm.vcpus[0]);
			ok(!err && pages_are_ready(&vm.vcpus[0], first, SLOT_PAGES),
			   "%s: a new memslot %s can be pre-faulted at once (%s)", kind->what,
			   away ? "elsewhere" : "there", strerror(err));
			destroy_slot_vm();
		}
		slot_comes_and_goes(kind, rounds);
	}
}

static void show_spins(void)
{
	prepare_alarms();
	for (size_t i = 0; i < ARRAY_SIZE(slot_kinds); i++) {
		const struct slot_kind *kind = &slot_kinds[i];
		int err;

		if (kind->moves)
			continue;
		printf("%s while it is pre-faulted: %s\n", kind->what,
		       deletion_spins(kind) ? "spins until a signal comes" : "ends");
		create_slot_vm(kind, 1);
		err = pre_fault_recreated(kind, 0);
		printf("%s, and created again: %s\n", kind->what,
		       err == EINTR ? "spins until a signal comes" : strerror(err));
		destroy_slot_vm();
	}
}

/* --- parallel ------------------------------------------------------------ */

#define PARALLEL_PAGES	(2 * BLOCK_PAGES)

static pthread_barrier_t parallel_begins, parallel_ends;
static bool parallel_over;
static int parallel_errs[VCPUS];

static void *pre_fault_in_parallel(void *arg)
{
	struct vcpu *vcpu = arg;

	for (;;) {
		pthread_barrier_wait(&parallel_begins);
		if (parallel_over)
			return NULL;
		parallel_errs[vcpu - vm.vcpus] = pre_fault(vcpu, 0, PARALLEL_PAGES);
		pthread_barrier_wait(&parallel_ends);
	}
}

static void test_parallel(unsigned long rounds)
{
	bool successful = true, ready = true, once = true;
	unsigned long long pages;
	pthread_t threads[VCPUS];
	int gmem_fd;

	create_vm(VCPUS);
	for (int id = 0; id < VCPUS; id++)
		warm_up(&vm.vcpus[id]);
	gmem_fd = create_work(PARALLEL_PAGES);
	pthread_barrier_init(&parallel_begins, NULL, VCPUS + 1);
	pthread_barrier_init(&parallel_ends, NULL, VCPUS + 1);
	for (int id = 0; id < VCPUS; id++)
		threads[id] = start_thread(pre_fault_in_parallel, &vm.vcpus[id]);

	for (unsigned long i = 0; i < rounds; i++) {
		/* Nothing of it is mapped, and every other time nothing is there, or half of it. */
		set(0, PARALLEL_PAGES, false);
		set(0, PARALLEL_PAGES, true);
		if (i % 4 == 1)
			punch(gmem_fd, 0, PARALLEL_PAGES);
		for (uint64_t page = 0; i % 4 == 3 && page < PARALLEL_PAGES; page += 2)
			punch(gmem_fd, page, 1);
		/* Or every other one is private. */
		for (uint64_t page = 0; i % 3 == 2 && page < PARALLEL_PAGES; page += 2)
			set(page, page + 1, false);
		pages = vm_stat("pages_4k");
		pthread_barrier_wait(&parallel_begins);
		pthread_barrier_wait(&parallel_ends);
		for (int id = 0; id < VCPUS; id++)
			if (parallel_errs[id])
				successful = complain("vCPU %d: %s", id,
						      strerror(parallel_errs[id]));
		if (vm_stat("pages_4k") != pages + PARALLEL_PAGES)
			once = complain("%llu pages are mapped", vm_stat("pages_4k") - pages);
		ready &= pages_are_ready(&vm.vcpus[i % VCPUS], 0, PARALLEL_PAGES);
		write_private(&vm.vcpus[i % VCPUS], i % 7, PARALLEL_PAGES / 2);
	}
	parallel_over = true;
	pthread_barrier_wait(&parallel_begins);
	for (int id = 0; id < VCPUS; id++)
		pthread_join(threads[id], NULL);

	ok(successful, "%d vCPUs pre-fault the same memory, %lu times: all succeed", VCPUS, rounds);
	ok(once, "each page is mapped, once");
	ok(ready, "the guest finds what it should, without a fault");
}

/* --- random -------------------------------------------------------------- */

#define RANDOM_PAGES	(4 * BLOCK_PAGES + 77u)

/* At most @max pages, which may begin and end anywhere. */
static void random_range(uint64_t *random, uint64_t pages, uint64_t max, uint64_t *first,
			 uint64_t *end)
{
	*first = next_random(random) % pages;
	*end = *first + 1 + next_random(random) % max;
	*end = *end < pages ? *end : pages;
}

/* Some of the memory changes, in one way or another. */
static void random_change(uint64_t *random, int gmem_fd)
{
	uint64_t first, end;

	random_range(random, RANDOM_PAGES, next_random(random) % 2 ? 700 : 30, &first, &end);
	switch (next_random(random) % 8) {
	case 0:
		punch(gmem_fd, first, end - first);
		break;
	case 1:			/* every other page, private and shared in turns */
		for (uint64_t page = first; page < end && page < first + 150; page++)
			set(page, page + 1, (page - first) % 2);
		break;
	case 2:			/* allocated, not mapped */
		check(fallocate(gmem_fd, FALLOC_FL_KEEP_SIZE, first * PAGE,
				(end - first) * PAGE), "fallocate");
		break;
	default:
		set(first, end, next_random(random) % 3);
	}
}

static void test_random(uint64_t seed, unsigned long rounds)
{
	unsigned long long pages = 0;
	bool successful = true, ready = true;
	struct vcpu *vcpu = &vm.vcpus[0];
	uint64_t random = seed_random(seed), first, end;
	int gmem_fd;

	create_vm(1);
	warm_up(vcpu);
	gmem_fd = create_work(RANDOM_PAGES);
	set(0, RANDOM_PAGES, true);
	for (unsigned long i = 0; i < rounds; i++) {
		for (uint64_t changes = next_random(&random) % 6; changes; changes--)
			random_change(&random, gmem_fd);
		random_range(&random, RANDOM_PAGES, 1100, &first, &end);
		successful &= pre_fault_ends_with(0, first, end - first);
		ready &= pages_are_ready(vcpu, first, end - first);
		pages += end - first;
		random_range(&random, RANDOM_PAGES, 300, &first, &end);
		write_private(vcpu, first, end - first);
	}
	printf("# %llu pages pre-faulted\n", pages);
	ok(successful, "%lu ranges of private and shared pages: each is pre-faulted entirely",
	   rounds);
	ok(ready, "each time the guest finds what it should in it, without a fault");
	ok(pages_are_right(vcpu, 0, RANDOM_PAGES, is_content), "in the end in all of the memory");
}

/* --- holes, flips -------------------------------------------------------- */

#define RACE_PAGES	(2 * BLOCK_PAGES)
#define RACE_RANGE	64u
/* Much of it happens in these pages, so that it meets. */
#define HOT_PAGES	32u

static _Atomic bool race_over;
static unsigned long race_calls[VCPUS], race_errs[VCPUS];
static int race_err[VCPUS];

static uint64_t race_area(uint64_t *random)
{
	return next_random(random) % 2 ? HOT_PAGES : RACE_PAGES;
}

/* The vCPU pre-faults some pages or others again and again. */
static void *race_pre_faults(void *arg)
{
	struct vcpu *vcpu = arg;
	int id = vcpu - vm.vcpus;
	uint64_t random = seed_random(id), first, end;

	while (!race_over) {
		uint64_t area = race_area(&random);
		int err;

		random_range(&random, area, area, &first, &end);
		err = pre_fault(vcpu, first, end - first);
		race_calls[id]++;
		if (err) {
			race_errs[id]++;
			race_err[id] = err;
		}
	}
	return NULL;
}

/* What was punched reads as zero at once, whoever is about to map it. */
static bool punch_and_look(struct vcpu *vcpu, uint64_t *random, int gmem_fd)
{
	uint64_t first, end;
	bool right;

	random_range(random, race_area(random), RACE_RANGE, &first, &end);
	if (next_random(random) % 16 == 0) {
		first = 0;
		end = RACE_PAGES;
	}
	punch(gmem_fd, first, end - first);
	right = pages_are_right(vcpu, first, end - first, is_content);
	write_private(vcpu, first, end - first);
	return right;
}

static bool flip_and_look(struct vcpu *vcpu, uint64_t *random, int gmem_fd)
{
	uint64_t first, end;

	(void)gmem_fd;
	random_range(random, race_area(random), next_random(random) % 8 ? RACE_RANGE : RACE_PAGES,
		     &first, &end);
	set(first, end, next_random(random) % 2);
	return pages_are_right(vcpu, first, end - first, is_content);
}

static void test_race(const char *what, unsigned long rounds,
		      bool (*act)(struct vcpu *vcpu, uint64_t *random, int gmem_fd))
{
	uint64_t random = seed_random(rounds);
	struct vcpu *vcpu = &vm.vcpus[0];
	pthread_t threads[VCPUS];
	bool right = true, all_right = true;
	int gmem_fd;

	create_vm(VCPUS);
	gmem_fd = create_work(RACE_PAGES);
	set(0, RACE_PAGES, true);
	write_private(vcpu, 0, RACE_PAGES);
	for (int id = 1; id < VCPUS; id++)
		threads[id] = start_thread(race_pre_faults, &vm.vcpus[id]);
	for (unsigned long i = 0; i < rounds; i++) {
		right &= act(vcpu, &random, gmem_fd);
		if (i % 16 == 15)
			all_right &= pages_are_right(vcpu, 0, RACE_PAGES, is_content);
	}
	race_over = true;
	for (int id = 1; id < VCPUS; id++)
		pthread_join(threads[id], NULL);

	ok(right, "%s, %lu times: at once the guest finds what it should there", what, rounds);
	ok(all_right && pages_are_right(vcpu, 0, RACE_PAGES, is_content), "and everywhere else");
	for (int id = 1; id < VCPUS; id++)
		ok(race_calls[id] && !race_errs[id],
		   "vCPU %d meanwhile: %lu pre-faults, %lu failed (%s)", id, race_calls[id],
		   race_errs[id], strerror(race_err[id]));
}

/* ------------------------------------------------------------------------- */

static int usage(void)
{
	fprintf(stderr, "usage: prefault contract|shadow|spins\n"
			"       prefault signals MIB\n"
			"       prefault slots|parallel|holes|flips ROUNDS\n"
			"       prefault random SEED ROUNDS\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	unsigned long number = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(command, "spins") && argc == 2) {
		show_spins();
		return 0;
	}
	if (!strcmp(command, "contract") && argc == 2)
		test_contract();
	else if (!strcmp(command, "shadow") && argc == 2)
		test_shadow();
	else if (!strcmp(command, "signals") && argc == 3)
		test_signals(number);
	else if (!strcmp(command, "slots") && argc == 3)
		test_slots(number);
	else if (!strcmp(command, "parallel") && argc == 3)
		test_parallel(number);
	else if (!strcmp(command, "random") && argc == 4)
		test_random(number, strtoul(argv[3], NULL, 0));
	else if (!strcmp(command, "holes") && argc == 3)
		test_race("a hole is punched", number, punch_and_look);
	else if (!strcmp(command, "flips") && argc == 3)
		test_race("attributes flip", number, flip_and_look);
	else
		return usage();
	return finish_tests();
}
