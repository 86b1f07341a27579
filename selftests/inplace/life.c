// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings that move, memory that fails, what is charged to whom; and conversions while mappings,
 * memslots and holes come and go.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mman.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "inplace.h"
#include "tap.h"

#define PAGES		16u

/* --- mappings ------------------------------------------------------------ */

static bool others_are_refused(const uint8_t *memory)
{
	bool right = true;
	uint32_t word;

	for (uint64_t page = 0; page < PAGES; page++)
		right &= try_load(memory + page * PAGE, &word) == BUS_ADRERR;
	return right;
}

static bool others_find(const uint8_t *memory)
{
	bool right = true;
	uint32_t word;

	for (uint64_t page = 0; page < PAGES; page++)
		right &= !try_load(memory + page * PAGE, &word) && word == work.words[page];
	return right;
}

static void test_mremap(void)
{
	uint8_t *second, *moved;

	create_work(PAGES, INIT_SHARED_FLAGS);
	ok(are_shared(0, PAGES), "a mapping is moved, and another made of it");
	/* The old size of 0 is how to ask for one more mapping of the same pages. */
	second = mremap(work.memory, 0, PAGES * PAGE, MREMAP_MAYMOVE);
	moved = mremap(work.memory, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       map_memory(0, PAGES * PAGE));
	if (second == MAP_FAILED || moved == MAP_FAILED)
		failed("mremap");
	work.memory = moved;
	ok(others_find(second) && are_shared(0, PAGES) && others_find(second),
	   "host and guest find the same pages in both");
	convert_pages(0, PAGES, true);
	ok(are_private(0, PAGES) && others_are_refused(second), "private, they are gone from both");
	convert_pages(0, PAGES, false);
	ok(are_shared(0, PAGES) && others_find(second), "shared, they are back in both");
	munmap(second, PAGES * PAGE);
	destroy_work();
}

static int find_in_child(void *unused)
{
	(void)unused;
	return !others_find(work.memory);
}

static int be_refused_in_child(void *unused)
{
	(void)unused;
	return !others_are_refused(work.memory);
}

static void test_fork(void)
{
	create_work(PAGES, INIT_SHARED_FLAGS);
	ok(are_shared(0, PAGES) && !in_child(find_in_child, NULL),
	   "a child finds what this process has written");
	convert_pages(0, PAGES, true);
	ok(!in_child(be_refused_in_child, NULL),
	   "a child that begins later has no access to private pages");
	convert_pages(0, PAGES, false);
	ok(!in_child(find_in_child, NULL) && are_shared(0, PAGES), "shared again, a child has");
	destroy_work();
}

/* With no descriptor and no mapping left the file ends, although the memslot stays. */
static void test_end_of_file(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	create_work(PAGES, INIT_SHARED_FLAGS);
	ok(are_shared(0, PAGES), "a file ends before its memslot");
	munmap(work.memory, PAGES * PAGE);
	close(work.fd);
	vcpu->list[0] = page_gpa(0);
	start_guest(vcpu, guest_read, 1, 0);
	ok(ioctl(vcpu->fd, KVM_RUN, NULL) < 0 && returns(EFAULT, errno), "its guest gets EFAULT");
	destroy_vm();
}

void test_life(void)
{
	test_mremap();
	test_fork();
	test_end_of_file();
}

/* --- memory failure ------------------------------------------------------ */

#define UNPOISON	"/sys/kernel/debug/hwpoison/unpoison-pfn"
#define POISONED	5u
#define HELD		9u

/* The page frame of a page that this process has mapped. */
static uint64_t pfn_of(const void *page)
{
	const int fd = check(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC),
			     "/proc/self/pagemap");
	uint64_t entry;

	if (pread(fd, &entry, sizeof(entry),
		  (uintptr_t)page / PAGE * sizeof(entry)) != sizeof(entry))
		failed("/proc/self/pagemap");
	close(fd);
	return entry & ((1ull << 55) - 1);
}

static void ignore(int signal)
{
	(void)signal;
}

/* Whoever has the page mapped gets a signal at once. */
int poison(uint8_t *page)
{
	int err;

	signal(SIGBUS, ignore);
	err = madvise(page, PAGE, MADV_HWPOISON) ? errno : 0;
	catch_bus_errors();
	return err == EBUSY ? 0 : err;
}

/* The exit tells userspace whether the page is private. */
static bool guest_is_stopped_at(uint64_t gpa, bool private)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	const struct kvm_run *run = vcpu->run;

	vcpu->list[0] = gpa;
	start_guest(vcpu, guest_read, 1, 0);
	if (ioctl(vcpu->fd, KVM_RUN, NULL) >= 0)
		return complain("the guest reads poisoned memory");
	return returns(EHWPOISON, errno) &&
	       ((run->exit_reason == KVM_EXIT_MEMORY_FAULT && run->memory_fault.gpa == gpa &&
		 run->memory_fault.flags == (private ? KVM_MEMORY_EXIT_FLAG_PRIVATE : 0)) ||
		complain("exit %u, flags 0x%llx", run->exit_reason, run->memory_fault.flags));
}

static bool guest_is_stopped(bool private)
{
	return guest_is_stopped_at(page_gpa(POISONED), private);
}

/* The memslot begins with the file's second page. */
static bool is_stopped_elsewhere(bool private)
{
	bool right;

	set_slot(WORK_SLOT, AREA_GPA, 0, NULL, -1);
	right = !try_set_gmem_slot(vm.fd, WORK_SLOT, AREA_GPA, (PAGES - 1) * PAGE, work_page(1),
				   work.fd, PAGE) &&
		guest_is_stopped_at(page_gpa(POISONED - 1), private);
	set_slot(WORK_SLOT, AREA_GPA, 0, NULL, -1);
	set_slot(WORK_SLOT, AREA_GPA, PAGES * PAGE, work.memory, work.fd);
	return right;
}

static bool poison_stops_host(uint64_t page)
{
	uint32_t word;
	const int code = try_load(work_page(page), &word);

	return code == BUS_MCEERR_AR ||
	       complain("the signal's code is %d, not that of poisoned memory", code);
}

static bool others_are(bool private)
{
	return private ? are_private(0, POISONED) &&
	       are_private(POISONED + 1, PAGES - POISONED - 1) :
	       are_shared(0, POISONED) && are_shared(POISONED + 1, PAGES - POISONED - 1);
}

static void test_poisoned_conversions(void)
{
	uint32_t unused;

	ok(poison_stops_host(POISONED) && guest_is_stopped(false),
	   "a shared page is poisoned: SIGBUS for the host, EHWPOISON for the guest");
	ok(returns(0, try_convert_pages(POISONED, 1, true)) && guest_is_stopped(true) &&
	   is_stopped_elsewhere(true) && returns(0, try_convert_pages(0, PAGES, true)),
	   "it holds up no conversion to private, alone or with others");
	ok(others_are(true) && try_load(work_page(POISONED), &unused) == BUS_ADRERR &&
	   guest_is_stopped(true),
	   "private: the host gets the SIGBUS of any private page, the guest EHWPOISON");
	ok(returns(0, try_convert_pages(0, PAGES, false)) && others_are(false),
	   "the others become shared, and keep what they have");
	ok(poison_stops_host(POISONED) && guest_is_stopped(false),
	   "shared again, it is still poisoned");
}

/* A poisoned page has one reference for good. Others count as they do for any page. */
static void test_poisoned_held(void)
{
	hold(work_page(HELD));
	check(-poison(work_page(HELD)), "MADV_HWPOISON");
	ok(is_held(HELD, 1, HELD) && is_held(HELD - 1, PAGES - HELD + 1, HELD),
	   "a held page is poisoned: EAGAIN with its offset");
	release();
	ok(returns(0, try_convert_pages(HELD, 1, true)), "released, it becomes private");
	check(-try_punch(work.fd, HELD * PAGE, PAGE), "fallocate");
	work.words[HELD] = 0;
	convert_pages(HELD, 1, false);
	ok(are_shared(HELD, 1),
	   "a hole is punched and it is shared again: both have a new page, of zeroes");
}

static void use_again(uint64_t pfn)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%" PRIx64 "\n", pfn);
	printf("# page 0x%" PRIx64 " can be used again: %s\n", pfn,
	       strerror(try_write_file(UNPOISON, text)));
}

void test_poison(void)
{
	uint64_t pfns[2];
	int err;

	create_work(PAGES, INIT_SHARED_FLAGS);
	ok(are_shared(0, PAGES), "memory is good");
	pfns[0] = pfn_of(work_page(POISONED));
	pfns[1] = pfn_of(work_page(HELD));
	err = poison(work_page(POISONED));
	if (err) {
		skip("memory failure",
		     "madvise(MADV_HWPOISON): %s, the kernel has no CONFIG_MEMORY_FAILURE",
		     strerror(err));
		destroy_work();
		return;
	}
	test_poisoned_conversions();
	check(-try_punch(work.fd, POISONED * PAGE, PAGE), "fallocate");
	work.words[POISONED] = 0;
	ok(guest_finds(POISONED, 0), "a hole is punched: the guest has a new page, of zeroes");
	/* A process's page table says that the page is poisoned until the process itself forgets it. */
	check(madvise(work_page(POISONED), PAGE, MADV_DONTNEED), "madvise");
	ok(are_shared(0, PAGES), "so has the host after MADV_DONTNEED");
	test_poisoned_held();
	convert_pages(0, PAGES, true);
	ok(are_private(0, PAGES), "which are converted as any other");
	destroy_work();
	for (size_t i = 0; !access(UNPOISON, F_OK) && i < ARRAY_SIZE(pfns); i++)
		use_again(pfns[i]);
}

/* --- memory cgroups ------------------------------------------------------ */

#define CGROUPS		"/sys/fs/cgroup/"
#define CGROUP		CGROUPS "inplace/"
#define CHARGED_PAGES	8192u
/* What a cgroup's counters may be off by: page tables, and what CPUs have charged ahead. */
#define CHARGE_SLACK	(2ull << 20)

static uint64_t charged_bytes(void)
{
	char text[32];

	read_file(CGROUP "memory.current", text, sizeof(text));
	return strtoull(text, NULL, 10);
}

static bool is_charged(uint64_t before, uint64_t pages)
{
	const uint64_t bytes = charged_bytes() - before, expected = pages * PAGE;

	printf("# charged: %" PRIu64 " bytes for %" PRIu64 "\n", bytes, expected);
	return bytes + CHARGE_SLACK >= expected && bytes <= expected + expected / 50 + CHARGE_SLACK;
}

static void store_all(uint64_t first, uint64_t pages)
{
	for (uint64_t page = first; page < first + pages; page++) {
		if (try_store(work_page(page), 1))
			failed("storing to a shared page");
	}
}

static void guest_writes(uint64_t first, uint64_t pages)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	for (uint64_t done = 0; done < pages; done += LIST_WORDS) {
		for (unsigned int i = 0; i < LIST_WORDS; i++)
			vcpu->list[i] = page_gpa(first + done + i);
		run_list(vcpu, guest_write, LIST_WORDS, 1);
	}
}

static void test_charges(uint64_t before)
{
	const uint64_t half = CHARGED_PAGES / 2;

	store_all(0, half);
	ok(is_charged(before, half), "the host's stores charge pages");
	convert_pages(0, CHARGED_PAGES, true);
	guest_writes(half, half);
	ok(is_charged(before, CHARGED_PAGES), "so do the guest's, to private pages");
	guest_writes(0, CHARGED_PAGES);
	convert_pages(0, CHARGED_PAGES, false);
	store_all(0, CHARGED_PAGES);
	guest_writes(0, CHARGED_PAGES);
	ok(is_charged(before, CHARGED_PAGES),
	   "a page that is used in both states is charged once");
	check(-try_punch(work.fd, 0, half * PAGE), "fallocate");
	ok(is_charged(before, half), "a hole is no longer charged");
}

void test_charge(void)
{
	char pid[16];

	if (try_write_file(CGROUPS "cgroup.subtree_control", "+memory")) {
		skip("memory cgroups", "there is no memory controller at " CGROUPS);
		return;
	}
	check(mkdir(CGROUP, 0755), CGROUP);
	snprintf(pid, sizeof(pid), "%d", getpid());
	write_file(CGROUP "cgroup.procs", pid);
	create_work(CHARGED_PAGES, INIT_SHARED_FLAGS);
	warm_up(&vm.vcpus[0]);
	test_charges(charged_bytes());
	destroy_work();
	ok(charged_bytes() < CHARGED_PAGES / 4 * PAGE, "nor is the file when it is closed");
	write_file(CGROUPS "cgroup.procs", pid);
	check(rmdir(CGROUP), CGROUP);
}

/* --- conversions while something else goes on ---------------------------- */

#define DISTURBANCES_MIN	10

static atomic_bool is_over;
static atomic_ulong disturbances;

/* Converts all pages back and forth meanwhile. Returns whether nothing but EAGAIN came in the way. */
static bool convert_meanwhile(void *(*disturb)(void *), uint64_t rounds)
{
	pthread_t thread;
	uint64_t refused = 0;
	int err = 0;

	is_over = false;
	disturbances = 0;
	thread = start_thread(disturb, NULL);
	for (uint64_t round = 0; !err && (round < rounds || disturbances < DISTURBANCES_MIN);
	     round++) {
		err = try_convert_pages(0, PAGES, true);
		refused += err == EAGAIN;
		if (!err || err == EAGAIN)
			err = try_convert_pages(0, PAGES, false);
	}
	is_over = true;
	pthread_join(thread, NULL);
	printf("# %" PRIu64 " rounds, %" PRIu64 " refused, %lu disturbances\n", rounds, refused,
	       disturbances);
	return returns(0, err);
}

static void *map_and_unmap(void *unused)
{
	uint32_t word;

	while (!is_over) {
		uint8_t *memory = map_file(work.fd, PAGES * PAGE, MAP_SHARED);

		for (uint64_t page = 0; page < PAGES; page++)
			try_load(memory + page * PAGE, &word);
		munmap(memory, PAGES * PAGE);
		disturbances++;
	}
	return unused;
}

static void *move_mapping(void *unused)
{
	uint8_t *memory = map_file(work.fd, PAGES * PAGE, MAP_SHARED), *places[2];
	uint32_t word;

	for (int i = 0; i < 2; i++)
		places[i] = map_memory(0, PAGES * PAGE);
	for (int i = 0; !is_over; i = !i) {
		memory = mremap(memory, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				places[i]);
		if (memory == MAP_FAILED)
			failed("mremap");
		for (uint64_t page = 0; page < PAGES; page++)
			try_load(memory + page * PAGE, &word);
		disturbances++;
	}
	munmap(memory, PAGES * PAGE);
	return unused;
}

static void *delete_and_create_slot(void *unused)
{
	while (!is_over) {
		set_slot(WORK_SLOT, AREA_GPA, 0, NULL, -1);
		set_slot(WORK_SLOT, AREA_GPA, PAGES * PAGE, work.memory, work.fd);
		disturbances++;
	}
	return unused;
}

static void *punch_and_touch(void *unused)
{
	uint32_t word;

	while (!is_over) {
		check(-try_punch(work.fd, 0, PAGES / 2 * PAGE), "fallocate");
		for (uint64_t page = 0; page < PAGES / 2; page++)
			try_load(work_page(page), &word);
		disturbances++;
	}
	return unused;
}

static void *fork_and_touch(void *unused)
{
	while (!is_over) {
		in_child(find_in_child, NULL);
		disturbances++;
	}
	return unused;
}

static void *touch_by_guest(void *unused)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	for (unsigned int i = 0; i < PAGES; i++)
		vcpu->list[i] = page_gpa(i);
	while (!is_over) {
		run_list_again(vcpu, guest_read, PAGES, 0);
		disturbances++;
	}
	return unused;
}

static void test_race(const char *what, void *(*disturb)(void *), uint64_t holes)
{
	create_work(PAGES, INIT_SHARED_FLAGS);
	ok(are_shared(0, PAGES) && convert_meanwhile(disturb, part_numbers[0]),
	   "%s meanwhile: pages are converted", what);
	memset(work.words, 0, holes * sizeof(work.words[0]));
	ok(are_shared(0, PAGES) && returns(0, try_convert_pages(0, PAGES, true)) &&
	   are_private(0, PAGES), "%s meanwhile: afterwards they are what they should be", what);
	destroy_work();
}

/* A fault of a vCPU that is going on holds no page, as one of the host does. */
static void test_no_refusal(void)
{
	pthread_t thread;
	int err = 0;

	create_work(PAGES, INIT_SHARED_FLAGS);
	store_all(0, PAGES);
	is_over = false;
	disturbances = 0;
	thread = start_thread(touch_by_guest, NULL);
	for (uint64_t round = 0; !err && (round < part_numbers[0] || disturbances < DISTURBANCES_MIN);
	     round++) {
		err = try_convert_pages(0, PAGES, true);
		if (!err)
			err = try_convert_pages(0, PAGES, false);
	}
	is_over = true;
	pthread_join(thread, NULL);
	ok(returns(0, err), "a vCPU faults on the pages meanwhile: no conversion is refused");
	destroy_work();
}

/* How often a vCPU found no memory, went through its list, and was told of a conversion. */
static atomic_ulong absences, passes, memory_faults;

static void ignore_wake_up(int signal)
{
	(void)signal;
}

static void *read_again_and_again(void *unused)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	for (unsigned int i = 0; i < PAGES; i++)
		vcpu->list[i] = page_gpa(i);
	start_guest(vcpu, guest_read, PAGES, 0);
	while (!is_over) {
		const int ret = ioctl(vcpu->fd, KVM_RUN, NULL);

		if (ret && errno != EINTR) {
			memory_faults += vcpu->run->exit_reason == KVM_EXIT_MEMORY_FAULT;
		} else if (!ret && vcpu->run->exit_reason == KVM_EXIT_MMIO) {
			absences++;
		} else if (!ret) {
			start_guest(vcpu, guest_read, PAGES, 0);
			passes++;
		}
	}
	return unused;
}

/* KVM waits for the vCPU several times in each round, which takes long. */
#define ROUNDS_PER_RECREATION	50
#define PATIENCE_NS		10000000000ull

/* Waits until the vCPU has done something once more. */
static bool goes_on(const char *what, const atomic_ulong *count)
{
	const uint64_t end_ns = now_ns() + PATIENCE_NS;
	const unsigned long before = *count;

	while (now_ns() < end_ns) {
		if (*count != before)
			return true;
		usleep(1000);
	}
	return complain("the vCPU's %s stay at %lu", what, before);
}

static bool recreate_slot(uint64_t rounds)
{
	bool right = true;

	for (uint64_t round = 0; right && round < rounds; round++) {
		set_slot(WORK_SLOT, AREA_GPA, 0, NULL, -1);
		if (round % 2)
			right &= goes_on("absences", &absences);
		set_slot(WORK_SLOT, AREA_GPA, PAGES * PAGE, work.memory, work.fd);
		if (round % 2)
			right &= goes_on("passes", &passes);
	}
	return right;
}

/*
 * A vCPU that reads private pages finds them, or nothing: as no page is ever converted, KVM does not ask for
 * a conversion, and the vCPU goes on.
 */
void test_recreated(void)
{
	pthread_t thread;
	bool right;

	create_work(PAGES, INIT_PRIVATE_FLAGS);
	signal(SIGUSR1, ignore_wake_up);
	is_over = false;
	thread = start_thread(read_again_and_again, NULL);
	right = recreate_slot(part_numbers[0] / ROUNDS_PER_RECREATION);
	is_over = true;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	ok(right, "a memslot is deleted and created, a vCPU reads its private pages: it goes on");
	ok(!memory_faults || complain("%lu memory faults", memory_faults),
	   "KVM asks for no conversion meanwhile");
	destroy_work();
}

void test_races(void)
{
	test_race("mapped and unmapped", map_and_unmap, 0);
	test_race("a mapping that moves", move_mapping, 0);
	test_race("memslots deleted and created", delete_and_create_slot, 0);
	test_race("holes punched", punch_and_touch, PAGES / 2);
	test_race("processes that come and go", fork_and_touch, 0);
	test_no_refusal();
}
