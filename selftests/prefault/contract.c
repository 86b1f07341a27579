// SPDX-License-Identifier: GPL-2.0
/*
 * What KVM_PRE_FAULT_MEMORY says to what cannot succeed, and how far it got: bad arguments, memory
 * that is not there, or of which there is not enough, signals.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"
#include "prefault.h"
#include "tap.h"

#define WORK_PAGES	(3 * BLOCK_PAGES)
#define PLAIN_FIRST	(WORK_PAGES + BLOCK_PAGES)
#define PLAIN_PAGES	64u
#define NO_MEMORY	10u		/* this one of them is private, without guest_memfd */
#define GONE_FIRST	(PLAIN_FIRST + BLOCK_PAGES)
#define COW_FIRST	(GONE_FIRST + BLOCK_PAGES)
#define COW_PAGES	64u
#define READ_ONLY_FIRST	(COW_FIRST + BLOCK_PAGES)
#define READ_ONLY_PAGES	64u

enum { COW_SLOT = PLAIN_SLOT + 1, GONE_SLOT, NEXT_SLOT, HIGH_SLOT, READ_ONLY_SLOT };

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
		int err = try_pre_fault(vm.vcpus[0].fd, &range);

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

	if (try_set_region(vm.fd, &region)) {
		skip(what, "the host's addresses are shorter, there is no such memslot");
		return;
	}
	ok(try_pre_fault(vm.vcpus[0].fd, &range) == EINVAL, "%s", what);
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
	struct kvm_pre_fault_memory *read_only = map_memory(0, PAGE);
	struct vcpu *vcpu = &vm.vcpus[0];
	int status;
	pid_t pid;

	*read_only = range_of(0, 1);
	check(mprotect(read_only, PAGE, PROT_READ), "mprotect");
	ok(try_pre_fault(vcpu->fd, (void *)8) == EFAULT, "an argument at a bad address: EFAULT");
	ok(try_pre_fault(vcpu->fd, (void *)-PAGE) == EFAULT, "one in the kernel: EFAULT");
	ok(try_pre_fault(vcpu->fd, read_only) == EFAULT, "one that cannot be written to: EFAULT");

	pid = check(fork(), "fork");
	if (!pid) {
		struct kvm_pre_fault_memory range = range_of(0, 1);

		_exit(try_pre_fault(vcpu->fd, &range));
	}
	check(waitpid(pid, &status, 0), "waitpid");
	/* The check is at the beginning of kvm_vcpu_ioctl(), as that for a dead VM; see test_dead(). */
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
	struct kvm_pre_fault_memory range = range_of(WORK_PAGES, 16);
	struct vcpu *vcpu = &vm.vcpus[0];

	write_shared_words(memory, WORK_PAGES, 8);
	set_slot(NEXT_SLOT, page_gpa(WORK_PAGES), 8 * PAGE, memory, create_gmem(vm.fd, 8 * PAGE));
	set(WORK_PAGES, WORK_PAGES + 4, true);
	ok(pre_fault_ends_with(0, WORK_PAGES - 8, 16) &&
	   pages_are_ready(vcpu, WORK_PAGES - 8, 16),
	   "a range over two memslots, private and shared");
	/* As opposed to the first memslot's, this end is in the middle of a page table. */
	set(WORK_PAGES, WORK_PAGES + 16, true);
	ok(!pre_fault_some(vcpu, &range) && range_is(&range, WORK_PAGES + 8, 8) &&
	   pre_fault_some(vcpu, &range) == ENOENT,
	   "private pages that go on behind a memslot: success up to its end, then ENOENT");
}

/* In kB, of the mapping that begins at @memory. */
static long read_smaps(const void *memory, const char *name)
{
	char line[300], start[40];
	bool found = false;
	long value = -1;
	FILE *file = fopen("/proc/self/smaps", "r");

	if (!file)
		err(1, "/proc/self/smaps");
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
	shared = map_file(fd, COW_PAGES * PAGE, MAP_SHARED);
	copied = map_file(fd, COW_PAGES * PAGE, MAP_PRIVATE);
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

/* A read fault is all that is made of it: nobody needs to be allowed to write. */
static void test_read_only(void)
{
	uint8_t *memory = map_memory(page_gpa(READ_ONLY_FIRST), READ_ONLY_PAGES * PAGE);
	struct kvm_userspace_memory_region2 region = {
		.slot = READ_ONLY_SLOT,
		.flags = KVM_MEM_READONLY,
		.guest_phys_addr = page_gpa(READ_ONLY_FIRST),
		.memory_size = READ_ONLY_PAGES * PAGE,
		.userspace_addr = (uintptr_t)memory,
	};

	write_shared_words(memory, READ_ONLY_FIRST, READ_ONLY_PAGES);
	check(-try_set_region(vm.fd, &region), "KVM_SET_USER_MEMORY_REGION2");
	ok(pre_fault_ends_with(0, READ_ONLY_FIRST, READ_ONLY_PAGES) &&
	   pages_are_ready(&vm.vcpus[0], READ_ONLY_FIRST, READ_ONLY_PAGES),
	   "a memslot that the guest may not write to: success");

	set_slot(READ_ONLY_SLOT, page_gpa(READ_ONLY_FIRST), 0, NULL, -1);
	check(mprotect(memory, READ_ONLY_PAGES * PAGE, PROT_READ), "mprotect");
	set_slot(READ_ONLY_SLOT, page_gpa(READ_ONLY_FIRST), READ_ONLY_PAGES * PAGE, memory, -1);
	ok(pre_fault_ends_with(0, READ_ONLY_FIRST, READ_ONLY_PAGES) &&
	   pages_are_ready(&vm.vcpus[0], READ_ONLY_FIRST, READ_ONLY_PAGES),
	   "memory that userspace may not write to: success");
}

void test_contract(void)
{
	uint8_t *plain;
	int gmem_fd;

	create_vm(1);
	warm_up(&vm.vcpus[0]);
	gmem_fd = create_work(WORK_PAGES);
	plain = map_memory(page_gpa(PLAIN_FIRST), PLAIN_PAGES * PAGE);
	write_shared_words(plain, PLAIN_FIRST, PLAIN_PAGES);
	set_slot(PLAIN_SLOT, page_gpa(PLAIN_FIRST), PLAIN_PAGES * PAGE, plain, -1);

	ok(ioctl(vm.fd, KVM_CHECK_EXTENSION, KVM_CAP_PRE_FAULT_MEMORY) == 1,
	   "KVM_CAP_PRE_FAULT_MEMORY is reported");
	test_einval();
	test_high_memslot();
	ok(pages_are_right(&vm.vcpus[0], 0, WORK_PAGES, is_content),
	   "after all that the guest finds its memory as it was");
	test_no_memory();
	test_argument();
	test_success(gmem_fd);
	test_neighbours();
	test_read_only();
	test_cow();
}

/* --- memory -------------------------------------------------------------- */

#define CGROUPS		"/sys/fs/cgroup/"
#define LITTLE_PAGES	(4 * BLOCK_PAGES)
#define ALLOWED_PAGES	(2 * BLOCK_PAGES)

/* Of this process only: what another one leaves behind is freed when KVM comes to it. */
static char cgroup[40];

static const char *cgroup_file(const char *name)
{
	static char path[80];

	snprintf(path, sizeof(path), "%s/%s", cgroup, name);
	return path;
}

/* Memory that nobody has written to. */
static bool is_zero(uint32_t gpa, uint32_t word, bool private)
{
	(void)gpa;
	(void)private;
	return !word;
}

/*
 * In a cgroup that allows for half of the memory. Without swap nothing of it can be reclaimed, and
 * the OOM killer finds nobody.
 */
static void test_limit(uint64_t first, int expected, const char *how, int limit_fd)
{
	struct kvm_pre_fault_memory range = range_of(first, LITTLE_PAGES), left;
	struct vcpu *vcpu = &vm.vcpus[0];
	unsigned long long pages = vm_stat("pages_4k");
	int err, second, length;
	char limit[32];

	read_file(cgroup_file("memory.current"), limit, sizeof(limit));
	length = sprintf(limit, "%llu\n", strtoull(limit, NULL, 10) + ALLOWED_PAGES * PAGE);
	/* Between these two nothing else takes memory. */
	check(pwrite(limit_fd, limit, length, 0), "memory.max");
	err = pre_fault_some(vcpu, &range);
	left = range;
	second = pre_fault_some(vcpu, &left);
	check(pwrite(limit_fd, "max\n", 4, 0), "memory.max");

	pages = vm_stat("pages_4k") - pages;
	printf("# %llu of %u pages fit\n", pages, LITTLE_PAGES);
	ok(!err && pages && range_is(&range, first + pages, LITTLE_PAGES - pages),
	   "memory ends in a range, %s: success, and what is left is told", how);
	ok(second == expected && range_is(&left, first + pages, LITTLE_PAGES - pages),
	   "the next call: %s, nothing changes (%s)", strerrorname_np(expected), strerror(second));
	ok(pre_fault_ends_with(0, first + pages, LITTLE_PAGES - pages) &&
	   pages_are_right(vcpu, first, LITTLE_PAGES, is_zero),
	   "there is memory again: the rest can be had, and is what it should be");
}

void test_little_memory(void)
{
	int limit_fd, fd = check(memfd_create("little", 0), "memfd_create");
	char pid[16];
	void *shared;

	create_vm(1);
	warm_up(&vm.vcpus[0]);
	create_work(LITTLE_PAGES);
	set(0, LITTLE_PAGES, true);
	/* Anonymous memory that is only read takes none. */
	check(ftruncate(fd, LITTLE_PAGES * PAGE), "ftruncate");
	shared = map_file(fd, LITTLE_PAGES * PAGE, MAP_SHARED);
	set_slot(PLAIN_SLOT, page_gpa(LITTLE_PAGES), LITTLE_PAGES * PAGE, shared, -1);

	snprintf(pid, sizeof(pid), "%d", getpid());
	snprintf(cgroup, sizeof(cgroup), CGROUPS "prefault-%s", pid);
	if (try_write_file(CGROUPS "cgroup.subtree_control", "+memory") || mkdir(cgroup, 0755) ||
	    try_write_file(cgroup_file("cgroup.procs"), pid) ||
	    try_write_file("/proc/self/oom_score_adj", "-1000")) {
		skip("not enough memory", "no cgroup with a limit: %s", strerror(errno));
		return;
	}
	limit_fd = check(open(cgroup_file("memory.max"), O_WRONLY), "memory.max");
	check(pwrite(limit_fd, "max\n", 4, 0), "memory.max");
	test_limit(0, ENOMEM, "private", limit_fd);
	/* Here KVM only knows that userspace's memory could not be faulted in. */
	test_limit(LITTLE_PAGES, EFAULT, "shared", limit_fd);
}

/* --- signals ------------------------------------------------------------- */

#define INTERVAL_US	2000
#define SIGNAL_PAGES	64u

/* In a process with the same memory, whose parent traces it: it stops, then pre-faults. */
static int stop_and_pre_fault(void *range)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) ||
	    syscall(SYS_kill, syscall(SYS_getpid), SIGSTOP))
		return EPROTO;
	return try_pre_fault(vm.vcpus[0].fd, range);
}

/*
 * Returns what a call says that begins with a signal pending. Only a tracer can bring that about: it
 * sends it where the call has been entered and nothing of it has been done.
 */
static int pre_fault_signalled(struct kvm_pre_fault_memory *range)
{
	static uint8_t stack[1 << 16] __attribute__((aligned(16)));
	int status;
	pid_t pid;

	pid = check(clone(stop_and_pre_fault, stack + sizeof(stack), CLONE_VM | SIGCHLD, range),
		    "clone");
	check(waitpid(pid, &status, 0), "waitpid");
	check(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), "PTRACE_SYSCALL");
	check(waitpid(pid, &status, 0), "waitpid");
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		errx(1, "the tracee has not entered its call");
	check(kill(pid, SIGALRM), "kill");
	while (WIFSTOPPED(status)) {
		/* Its stop for the signal itself: it gets it, and has a handler. */
		int signal = WSTOPSIG(status) == SIGALRM ? SIGALRM : 0;

		check(ptrace(PTRACE_CONT, pid, NULL, (void *)(intptr_t)signal), "PTRACE_CONT");
		check(waitpid(pid, &status, 0), "waitpid");
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EPROTO;
}

void test_pending(void)
{
	struct kvm_pre_fault_memory range = range_of(0, SIGNAL_PAGES);
	struct vcpu *vcpu = &vm.vcpus[0];
	unsigned long long pages;
	int err;

	create_vm(1);
	warm_up(vcpu);
	create_work(SIGNAL_PAGES);
	prepare_alarms();
	let_alarms(true);
	pages = vm_stat("pages_4k");
	for (int private = 0; private < 2; private++) {
		set(0, SIGNAL_PAGES, private);
		err = pre_fault_signalled(&range);
		ok(err == EINTR && range_is(&range, 0, SIGNAL_PAGES) && vm_stat("pages_4k") == pages,
		   "a signal is pending, %s memory: EINTR, and nothing is done (%s)",
		   private ? "private" : "shared", strerror(err));
	}
	let_alarms(false);
	check(raise(SIGALRM) ? -1 : 0, "raise");
	err = pre_fault_some(vcpu, &range);
	ok(!err && range_is(&range, SIGNAL_PAGES, 0), "one is pending, and masked: success");
	let_alarms(true);
	ok(pages_are_ready(vcpu, 0, SIGNAL_PAGES), "the guest finds its memory, without a fault");
}

void test_signals(void)
{
	const unsigned long mib = part_numbers[0];
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
		 create_gmem(vm.fd, pages * PAGE));
	check(-try_set(vm.fd, 0, pages, true), "KVM_SET_MEMORY_ATTRIBUTES");
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
	ok(partial, "%lu MiB, a signal every %d us: success, with a rest", mib, INTERVAL_US);
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

