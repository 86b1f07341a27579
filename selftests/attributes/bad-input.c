// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_SET_MEMORY_ATTRIBUTES with arguments that make no sense: each gets the errno of a stock
 * kernel and changes nothing. Speaks TAP; the same lines on every kernel.
 *
 * What the attributes are is seen through the guest: it reads each page of a slot without
 * guest_memfd, where a private page has no memory.
 * With --ranges the kernel's own list in debugfs must say the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kvmstat.h"
#include "page_guest.h"
#include "ranges.h"
#include "tap.h"

#define SLOT_PAGES	16

/* The range that bad calls name: its first half is private, the other is not. */
#define RANGE_PAGE	6
#define RANGE_PAGES	4
#define RANGE_GPA	(AREA_GPA + RANGE_PAGE * PAGE)
#define RANGE_SIZE	(RANGE_PAGES * PAGE)
#define PRIVATE_PAGE	4
#define PRIVATE_PAGES	4

static bool with_ranges;

static void create_slot(void)
{
	uint8_t *memory = map_memory(AREA_GPA, SLOT_PAGES * PAGE);

	write_shared_words(memory, 0, SLOT_PAGES);
	set_slot(WORK_SLOT, AREA_GPA, SLOT_PAGES * PAGE, memory, -1);
}

static bool state_is_right(void)
{
	bool right = pages_are_right(&vm.vcpus[0], 0, SLOT_PAGES, is_word_or_absent);

	return (!with_ranges || ranges_are_right()) && right;
}

/* Both are 0 or an errno. */
static bool returns(int expected, int found)
{
	return found == expected || complain("%s instead of %s", found ? strerrorname_np(found) : "0",
					     expected ? strerrorname_np(expected) : "0");
}

static int set_range(int fd, uint64_t attributes)
{
	return try_set_attributes(fd, RANGE_GPA, RANGE_SIZE, attributes);
}

/* To have an effect a call would have to name other attributes than there are: both are tried. */
static void test_arguments(void)
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

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t attributes[] = { cases[i].attributes, cases[i].attributes | PRIVATE };
		bool good = true;

		for (int with_private = 0; with_private < 2; with_private++) {
			int err = try_set_flagged(vm.fd, cases[i].address, cases[i].size,
						  attributes[with_private], cases[i].flags);

			good &= returns(EINVAL, err) && state_is_right();
		}
		ok(good, "%s: EINVAL, nothing changes", cases[i].what);
	}
}

static int set_from(const void *args)
{
	return ioctl(vm.fd, KVM_SET_MEMORY_ATTRIBUTES, args) ? errno : 0;
}

static void test_pointers(void)
{
	struct kvm_memory_attributes args = {
		.address = RANGE_GPA,
		.size = RANGE_SIZE,
		.attributes = PRIVATE,
	};
	char *end = (char *)map_memory(0, 2 * PAGE) + PAGE;

	munmap(end, PAGE);
	memcpy(end - sizeof(args) / 2, &args, sizeof(args) / 2);
	ok(returns(EFAULT, set_from(NULL)) && state_is_right(), "null pointer: EFAULT, nothing changes");
	ok(returns(EFAULT, set_from(end - sizeof(args) / 2)) && state_is_right(),
	   "arguments that end outside of memory: EFAULT, nothing changes");
}

static void test_fd(int fd, int expected_errno, const char *what)
{
	ok(returns(expected_errno, set_range(fd, PRIVATE)) && state_is_right(), "%s: %s, nothing changes", what,
	   strerrorname_np(expected_errno));
	close(fd);
}

static void test_fds(void)
{
	int closed_fd = check(dup(vm.fd), "dup");

	test_fd(check(dup(kvm_fd()), "dup"), EINVAL, "/dev/kvm");
	test_fd(check(dup(vm.vcpus[0].fd), "dup"), EINVAL, "a vCPU");
	test_fd(create_gmem(vm.fd, PAGE), ENOTTY, "a guest_memfd");
	test_fd(open_stats(vm.fd), ENOTTY, "a VM's statistics");
	test_fd(check(eventfd(0, 0), "eventfd"), ENOTTY, "an eventfd");
	test_fd(check(open("/dev/null", O_RDWR), "/dev/null"), ENOTTY, "/dev/null");
	test_fd(check(open("/dev/kvm", O_PATH), "/dev/kvm"), EBADF, "an O_PATH fd");
	close(closed_fd);
	test_fd(closed_fd, EBADF, "a closed fd");
}

/* KVM serves a VM's fd only in the process that made the VM. */
static void test_other_process(void)
{
	pid_t child;
	int status;

	fflush(stdout);
	child = check(fork(), "fork");
	if (!child)
		_exit(set_range(vm.fd, PRIVATE));
	check(waitpid(child, &status, 0), "waitpid");
	ok(returns(EIO, WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD) && state_is_right(),
	   "the VM's fd in another process: EIO, nothing changes");
}

static void test_default_vm(void)
{
	destroy_vm();
	create_plain_vm(1);
	create_slot();
	/* Only VMs that can have private memory have a list of it. */
	with_ranges = false;
	ok(returns(EINVAL, set_range(vm.fd, PRIVATE)) &&
	   state_is_right(), "a VM without private memory, to private: EINVAL, nothing changes");
	ok(returns(0, set_range(vm.fd, 0)) && state_is_right(),
	   "a VM without private memory, to shared: nothing to do");
}

/* That states are told apart, and that valid calls still work after all the others. */
static void test_valid(const char *when)
{
	bool good;

	set(RANGE_PAGE, RANGE_PAGE + RANGE_PAGES, true);
	good = state_is_right();
	set(0, SLOT_PAGES, false);
	good &= state_is_right();
	set(PRIVATE_PAGE, PRIVATE_PAGE + PRIVATE_PAGES, true);
	good &= state_is_right();
	ok(good, "%s: valid calls change just what they name", when);
}

static void test_no_memory(void)
{
	const uint64_t nowhere = 1ull << 40;
	bool good = returns(0, try_set_attributes(vm.fd, nowhere, PAGE, PRIVATE));

	good &= returns(0, try_set_attributes(vm.fd, nowhere, PAGE, 0));
	ok(good && state_is_right(), "a range without memory: accepted, nothing else changes");
}

int main(int argc, char **argv)
{
	with_ranges = argc == 2 && !strcmp(argv[1], "--ranges");
	if (argc != 1 + with_ranges) {
		fprintf(stderr, "usage: bad-input [--ranges]\n");
		return 2;
	}
	create_vm(1);
	create_slot();
	test_valid("first");
	test_arguments();
	test_pointers();
	test_fds();
	test_other_process();
	test_no_memory();
	test_valid("at the end");
	test_default_vm();
	return finish_tests();
}
