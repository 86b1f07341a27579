// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_SET_MEMORY_ATTRIBUTES with arguments that make no sense: each gets the errno of a stock
 * kernel and changes nothing. Speaks TAP; the same lines on every kernel.
 *
 * What the attributes are is seen through the guest: it reads each page of a slot without
 * guest_memfd, where a private page has no memory and ends KVM_RUN with KVM_EXIT_MEMORY_FAULT.
 * With --ranges the kernel's own list in debugfs must say the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kvm-abi.h"

#define PAGE		0x1000ull
#define CODE_GPA	PAGE
#define AREA_GPA	0x10000ull
#define AREA_PAGES	16
#define PROBE_PORT	0x10

/* The range that bad calls name: its first half is private, the other is not. */
#define RANGE_PAGE	6
#define RANGE_PAGES	4
#define RANGE_GPA	(AREA_GPA + RANGE_PAGE * PAGE)
#define RANGE_SIZE	(RANGE_PAGES * PAGE)
#define PRIVATE_PAGE	4
#define PRIVATE_PAGES	4

#define PRIVATE		KVM_MEMORY_ATTRIBUTE_PRIVATE

struct test_vm {
	int fd;
	int vcpu_fd;
	struct kvm_run *run;
	bool lists_ranges;		/* only VMs that can have private memory do */
	bool private[AREA_PAGES];	/* as it should be */
};

static int kvm_fd;
static int tests, failures;
static bool with_ranges;

__attribute__((format(printf, 1, 2), noreturn)) static void bail_out(const char *fmt, ...)
{
	va_list args;

	printf("Bail out! ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf(": %s\n", strerror(errno));
	exit(1);
}

__attribute__((format(printf, 2, 3))) static void ok(bool good, const char *fmt, ...)
{
	va_list args;

	printf("%sok %d - ", good ? "" : "not ", ++tests);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	failures += !good;
}

static int check(int ret, const char *what)
{
	if (ret < 0)
		bail_out("%s", what);
	return ret;
}

static void add_memory(int vm_fd, uint32_t slot, uint64_t gpa, uint64_t size, const void *content,
		       size_t content_size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	if (memory == MAP_FAILED)
		bail_out("mmap");
	memcpy(memory, content, content_size);
	check(ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
}

static void create_vm(struct test_vm *vm, unsigned long type)
{
	static const uint8_t code[] = {
		0x8a, 0x07,		/* mov (%bx), %al */
		0xe6, PROBE_PORT,	/* out %al, $PROBE_PORT */
	};
	int run_size = check(ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");

	memset(vm, 0, sizeof(*vm));
	vm->lists_ranges = with_ranges && type == KVM_X86_SW_PROTECTED_VM;
	vm->fd = check(ioctl(kvm_fd, KVM_CREATE_VM, type), "KVM_CREATE_VM");
	add_memory(vm->fd, 0, CODE_GPA, PAGE, code, sizeof(code));
	add_memory(vm->fd, 1, AREA_GPA, AREA_PAGES * PAGE, "", 0);
	vm->vcpu_fd = check(ioctl(vm->fd, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	vm->run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu_fd, 0);
	if (vm->run == MAP_FAILED)
		bail_out("mmap of the vCPU");
}

/* The guest, in real mode, reads one byte of the page. */
static bool page_is_private(struct test_vm *vm, uint64_t gpa)
{
	struct kvm_regs regs = { .rflags = 2 };
	struct kvm_sregs sregs;
	int ret;

	check(ioctl(vm->vcpu_fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs.base = CODE_GPA;
	sregs.cs.selector = CODE_GPA >> 4;
	sregs.ds.base = gpa;
	sregs.ds.selector = gpa >> 4;
	check(ioctl(vm->vcpu_fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	check(ioctl(vm->vcpu_fd, KVM_SET_REGS, &regs), "KVM_SET_REGS");
	do
		ret = ioctl(vm->vcpu_fd, KVM_RUN, 0);
	while (ret && errno == EINTR);

	if (!ret && vm->run->exit_reason == KVM_EXIT_IO && vm->run->io.port == PROBE_PORT)
		return false;
	if (ret && errno == EFAULT && vm->run->exit_reason == KVM_EXIT_MEMORY_FAULT &&
	    memory_fault(vm->run)->flags == KVM_MEMORY_EXIT_FLAG_PRIVATE &&
	    memory_fault(vm->run)->gpa == gpa)
		return true;
	bail_out("unexpected exit %u of the vCPU", vm->run->exit_reason);
}

static bool guest_view_is_right(struct test_vm *vm)
{
	bool right = true;

	for (int page = 0; page < AREA_PAGES; page++) {
		bool private = page_is_private(vm, AREA_GPA + page * PAGE);

		if (private == vm->private[page])
			continue;
		printf("# page %d is %s\n", page, private ? "private" : "shared");
		right = false;
	}
	return right;
}

static void read_ranges(const struct test_vm *vm, char *text, size_t size)
{
	char path[100];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/memattr_ranges", getpid(),
		 vm->fd);
	file = fopen(path, "r");
	if (!file)
		bail_out("%s", path);
	text[fread(text, 1, size - 1, file)] = 0;
	fclose(file);
}

static bool ranges_are_right(const struct test_vm *vm)
{
	char expected[1024] = "", found[1024];
	int start = -1;

	for (int page = 0; page <= AREA_PAGES; page++) {
		bool private = page < AREA_PAGES && vm->private[page];

		if (private && start < 0)
			start = page;
		if (private || start < 0)
			continue;
		sprintf(expected + strlen(expected), "0x%llx-0x%llx %d private\n",
			AREA_GPA + start * PAGE, AREA_GPA + page * PAGE, page - start);
		start = -1;
	}
	read_ranges(vm, found, sizeof(found));
	if (!strcmp(expected, found))
		return true;
	printf("# memattr_ranges is \"%s\", expected \"%s\"\n", found, expected);
	return false;
}

static bool state_is_right(struct test_vm *vm)
{
	bool guest_right = guest_view_is_right(vm);

	return (!vm->lists_ranges || ranges_are_right(vm)) && guest_right;
}

static bool returns(int expected_errno, int ret)
{
	int found = ret ? errno : 0;

	if (found == expected_errno)
		return true;
	printf("# %s instead of %s\n", found ? strerrorname_np(found) : "0",
	       expected_errno ? strerrorname_np(expected_errno) : "0");
	return false;
}

static int set_attributes(int fd, uint64_t address, uint64_t size, uint64_t attributes,
			  uint64_t flags)
{
	struct kvm_memory_attributes args = {
		.address = address,
		.size = size,
		.attributes = attributes,
		.flags = flags,
	};

	return ioctl(fd, KVM_SET_MEMORY_ATTRIBUTES, &args);
}

/* To have an effect a call would have to name other attributes than there are: both are tried. */
static void test_arguments(struct test_vm *vm)
{
	static const struct {
		const char *what;
		uint64_t address, size, attributes, flags;
	} cases[] = {
		{ "address off by one byte", RANGE_GPA + 1, RANGE_SIZE, 0, 0 },
		{ "address in the middle of a page", RANGE_GPA + PAGE / 2, RANGE_SIZE, 0, 0 },
		{ "size one byte short", RANGE_GPA, RANGE_SIZE - 1, 0, 0 },
		{ "size one byte over", RANGE_GPA, RANGE_SIZE + 1, 0, 0 },
		{ "address and size unaligned, end aligned", RANGE_GPA + PAGE / 2, PAGE / 2, 0, 0 },
		{ "size of zero", RANGE_GPA, 0, 0, 0 },
		{ "size of zero at zero", 0, 0, 0, 0 },
		{ "end at 2^64", -PAGE, PAGE, 0, 0 },
		{ "end beyond 2^64", -PAGE, RANGE_GPA + RANGE_SIZE + PAGE, 0, 0 },
		{ "size up to the address again", RANGE_GPA, -PAGE, 0, 0 },
		{ "lowest flag", RANGE_GPA, RANGE_SIZE, 0, 1 },
		{ "highest flag", RANGE_GPA, RANGE_SIZE, 0, 1ull << 63 },
		{ "all flags", RANGE_GPA, RANGE_SIZE, 0, ~0ull },
		{ "attribute bit 0", RANGE_GPA, RANGE_SIZE, 1 << 0, 0 },
		{ "attribute bit 1", RANGE_GPA, RANGE_SIZE, 1 << 1, 0 },
		{ "attribute bit 2", RANGE_GPA, RANGE_SIZE, 1 << 2, 0 },
		{ "attribute bit 4", RANGE_GPA, RANGE_SIZE, 1 << 4, 0 },
		{ "attribute bit 32", RANGE_GPA, RANGE_SIZE, 1ull << 32, 0 },
		{ "attribute bit 63", RANGE_GPA, RANGE_SIZE, 1ull << 63, 0 },
		{ "all attribute bits", RANGE_GPA, RANGE_SIZE, ~0ull, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t attributes[] = { cases[i].attributes, cases[i].attributes | PRIVATE };
		bool good = true;

		for (int with_private = 0; with_private < 2; with_private++) {
			int ret = set_attributes(vm->fd, cases[i].address, cases[i].size,
						 attributes[with_private], cases[i].flags);

			good &= returns(EINVAL, ret) && state_is_right(vm);
		}
		ok(good, "%s: EINVAL, nothing changes", cases[i].what);
	}
}

static void test_pointers(struct test_vm *vm)
{
	struct kvm_memory_attributes args = {
		.address = RANGE_GPA,
		.size = RANGE_SIZE,
		.attributes = PRIVATE,
	};
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	char *end = pages + PAGE;

	if (pages == MAP_FAILED)
		bail_out("mmap");
	munmap(end, PAGE);
	memcpy(end - sizeof(args) / 2, &args, sizeof(args) / 2);
	ok(returns(EFAULT, ioctl(vm->fd, KVM_SET_MEMORY_ATTRIBUTES, NULL)) && state_is_right(vm),
	   "null pointer: EFAULT, nothing changes");
	ok(returns(EFAULT, ioctl(vm->fd, KVM_SET_MEMORY_ATTRIBUTES, end - sizeof(args) / 2)) &&
	   state_is_right(vm), "arguments that end outside of memory: EFAULT, nothing changes");
	munmap(pages, PAGE);
}

static void test_fd(struct test_vm *vm, int fd, int expected_errno, const char *what)
{
	bool good = returns(expected_errno, set_attributes(fd, RANGE_GPA, RANGE_SIZE, PRIVATE, 0));

	ok(good && state_is_right(vm), "%s: %s, nothing changes", what,
	   strerrorname_np(expected_errno));
	close(fd);
}

static void test_fds(struct test_vm *vm)
{
	struct kvm_create_guest_memfd gmem = { .size = PAGE };
	int closed_fd = check(dup(vm->fd), "dup");

	test_fd(vm, check(dup(kvm_fd), "dup"), EINVAL, "/dev/kvm");
	test_fd(vm, check(dup(vm->vcpu_fd), "dup"), EINVAL, "a vCPU");
	test_fd(vm, check(ioctl(vm->fd, KVM_CREATE_GUEST_MEMFD, &gmem), "KVM_CREATE_GUEST_MEMFD"),
		ENOTTY, "a guest_memfd");
	test_fd(vm, check(ioctl(vm->fd, KVM_GET_STATS_FD, 0), "KVM_GET_STATS_FD"), ENOTTY,
		"a VM's statistics");
	test_fd(vm, check(eventfd(0, 0), "eventfd"), ENOTTY, "an eventfd");
	test_fd(vm, check(open("/dev/null", O_RDWR), "/dev/null"), ENOTTY, "/dev/null");
	test_fd(vm, check(open("/dev/kvm", O_PATH), "/dev/kvm"), EBADF, "an O_PATH fd");
	close(closed_fd);
	test_fd(vm, closed_fd, EBADF, "a closed fd");
}

/* KVM serves a VM's fd only in the process that made the VM. */
static void test_other_process(struct test_vm *vm)
{
	pid_t child;
	int status;

	fflush(stdout);
	child = check(fork(), "fork");
	if (!child)
		_exit(set_attributes(vm->fd, RANGE_GPA, RANGE_SIZE, PRIVATE, 0) ? errno : 0);
	check(waitpid(child, &status, 0), "waitpid");
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
	ok(returns(EIO, errno ? -1 : 0) && state_is_right(vm),
	   "the VM's fd in another process: EIO, nothing changes");
}

static void test_default_vm(void)
{
	struct test_vm vm;

	create_vm(&vm, 0);
	ok(returns(EINVAL, set_attributes(vm.fd, RANGE_GPA, RANGE_SIZE, PRIVATE, 0)) &&
	   state_is_right(&vm), "a VM without private memory, to private: EINVAL, nothing changes");
	ok(returns(0, set_attributes(vm.fd, RANGE_GPA, RANGE_SIZE, 0, 0)) && state_is_right(&vm),
	   "a VM without private memory, to shared: nothing to do");
}

/* That states are told apart, and that valid calls still work after all the others. */
static void test_valid(struct test_vm *vm, const char *when)
{
	bool good;

	for (int page = 0; page < RANGE_PAGES; page++)
		vm->private[RANGE_PAGE + page] = true;
	good = returns(0, set_attributes(vm->fd, RANGE_GPA, RANGE_SIZE, PRIVATE, 0)) &&
	       state_is_right(vm);
	for (int page = 0; page < AREA_PAGES; page++)
		vm->private[page] = false;
	good &= returns(0, set_attributes(vm->fd, AREA_GPA, AREA_PAGES * PAGE, 0, 0)) &&
		state_is_right(vm);
	for (int page = 0; page < PRIVATE_PAGES; page++)
		vm->private[PRIVATE_PAGE + page] = true;
	good &= returns(0, set_attributes(vm->fd, AREA_GPA + PRIVATE_PAGE * PAGE,
					  PRIVATE_PAGES * PAGE, PRIVATE, 0)) && state_is_right(vm);
	ok(good, "%s: valid calls change just what they name", when);
}

static void test_no_memory(struct test_vm *vm)
{
	const uint64_t nowhere = 1ull << 40;
	bool good = returns(0, set_attributes(vm->fd, nowhere, PAGE, PRIVATE, 0));

	good &= returns(0, set_attributes(vm->fd, nowhere, PAGE, 0, 0));
	ok(good && state_is_right(vm), "a range without memory: accepted, nothing else changes");
}

int main(int argc, char **argv)
{
	struct test_vm vm;

	with_ranges = argc == 2 && !strcmp(argv[1], "--ranges");
	if (argc != 1 + with_ranges) {
		fprintf(stderr, "usage: bad-input [--ranges]\n");
		return 2;
	}
	kvm_fd = check(open("/dev/kvm", O_RDWR), "/dev/kvm");
	create_vm(&vm, KVM_X86_SW_PROTECTED_VM);
	test_valid(&vm, "first");
	test_arguments(&vm);
	test_pointers(&vm);
	test_fds(&vm);
	test_other_process(&vm);
	test_default_vm();
	test_no_memory(&vm);
	test_valid(&vm, "at the end");
	printf("1..%d\n", tests);
	return failures != 0;
}
