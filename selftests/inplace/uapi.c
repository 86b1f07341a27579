// SPDX-License-Identifier: GPL-2.0
/* The interface: capabilities, flags, and the checks of KVM_SET_MEMORY_ATTRIBUTES2 in their order. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "inplace.h"
#include "kvmstat.h"
#include "tap.h"

#define ALL_FLAGS	(GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)
#define UNTOUCHED	0x123456789abcdef0ull

void test_mode(void)
{
	const bool expected = part_numbers[0];
	struct stat parameter;

	ok(!stat("/sys/module/kvm/parameters/gmem_in_place_conversion", &parameter) &&
	   (parameter.st_mode & 0777) == 0444,
	   "kvm.gmem_in_place_conversion is there, and read-only");
	ok(converts_in_place() == expected, "it is %s", expected ? "on" : "off");
}

/* --- capabilities -------------------------------------------------------- */

static bool cap_is(int fd, const char *scope, int cap, uint64_t expected)
{
	const int value = ioctl(fd, KVM_CHECK_EXTENSION, cap);

	return value == (int)expected ||
	       complain("%s: capability %d is %d instead of %" PRIu64, scope, cap, value, expected);
}

static void test_scope(int fd, const char *scope, bool may_have_private, bool may_be_shared)
{
	const bool in_place = converts_in_place();
	const uint64_t attributes = may_have_private ? PRIVATE : 0;

	ok(cap_is(fd, scope, KVM_CAP_GUEST_MEMFD, 1), "%s: there are guest_memfds", scope);
	ok(cap_is(fd, scope, KVM_CAP_MEMORY_ATTRIBUTES, in_place ? 0 : attributes) &&
	   cap_is(fd, scope, KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES, in_place ? attributes : 0),
	   "%s: attributes are the %s's, private is%s among them", scope, in_place ? "file" : "VM",
	   may_have_private ? "" : " not");
	ok(cap_is(fd, scope, KVM_CAP_GUEST_MEMFD_FLAGS,
		  may_be_shared ? ALL_FLAGS : GUEST_MEMFD_FLAG_MMAP),
	   "%s: files can be mapped, and %s begin as shared", scope,
	   may_be_shared ? "can" : "cannot");
}

void test_caps(void)
{
	const int plain = create_vm_fd(KVM_X86_DEFAULT_VM), protected = create_protected_vm_fd();

	ok(KVM_SET_MEMORY_ATTRIBUTES2 == 0xc080aed2 && sizeof(struct kvm_memory_attributes2) == 128,
	   "KVM_SET_MEMORY_ATTRIBUTES2 has its number and its size");
	test_scope(kvm_fd(), "KVM", true, true);
	test_scope(plain, "VM of the default type", false, true);
	test_scope(protected, "protected VM", true, converts_in_place());
	ok(returns(converts_in_place() ? EINVAL : 0,
		   try_set_attributes(protected, AREA_GPA, PAGE, PRIVATE)),
	   "the ioctl of a protected VM %s", converts_in_place() ? "is refused" : "works");
	ok(returns(EINVAL, try_set_attributes(plain, AREA_GPA, PAGE, PRIVATE)),
	   "that of a default VM never does");
	close(plain);
	close(protected);
}

/* --- creation ------------------------------------------------------------ */

/* Returns 0 or an errno. */
static int create_and_close(int vm_fd, uint64_t size, uint64_t flags)
{
	const int fd = try_create_gmem(vm_fd, size, flags);

	if (fd < 0)
		return -fd;
	close(fd);
	return 0;
}

static void test_creation(unsigned long type, const char *name)
{
	const int vm_fd = create_vm_fd(type);
	const uint64_t supported = type == KVM_X86_DEFAULT_VM || converts_in_place() ? ALL_FLAGS :
				   GUEST_MEMFD_FLAG_MMAP;
	bool right = true;

	for (int bit = 0; bit < 64; bit++)
		right &= returns(supported >> bit & 1 ? 0 : EINVAL,
				 create_and_close(vm_fd, PAGE, 1ull << bit));
	ok(right, "%s: each flag by itself is taken, or refused with EINVAL", name);
	ok(returns(0, create_and_close(vm_fd, PAGE, 0)) &&
	   returns(0, create_and_close(vm_fd, PAGE, supported)) &&
	   returns(EINVAL, create_and_close(vm_fd, PAGE, ~0ull)) &&
	   returns(EINVAL, create_and_close(vm_fd, PAGE, supported | 1ull << 63)),
	   "%s: so are none, those of the capability, and all", name);
	right = true;
	for (uint64_t flags = 0; flags <= supported; flags++)
		right &= returns(EINVAL, create_and_close(vm_fd, 0, flags)) &&
			 returns(EINVAL, create_and_close(vm_fd, PAGE - 1, flags)) &&
			 returns(EINVAL, create_and_close(vm_fd, PAGE / 2, flags)) &&
			 returns(EINVAL, create_and_close(vm_fd, -PAGE, flags));
	ok(right, "%s: a size of no pages, or not of whole ones: EINVAL, with whatever flags",
	   name);
	close(vm_fd);
}

#define FILES_MAX	"/proc/sys/fs/file-max"
#define NOBODY		65534

/* Creates a file without privileges when there are as many files as the system allows. */
static int create_one_too_many(int vm_fd, uint64_t flags)
{
	char before[32];
	int err;

	read_file(FILES_MAX, before, sizeof(before));
	write_file(FILES_MAX, "0");
	check(seteuid(NOBODY), "seteuid");
	err = create_and_close(vm_fd, PAGE, flags);
	check(seteuid(0), "seteuid");
	write_file(FILES_MAX, before);
	return err;
}

static int lowest_fd(void)
{
	const int fd = check(dup(0), "dup");

	close(fd);
	return fd;
}

static void test_too_many_files(void)
{
	const int vm_fd = create_vm_fd(KVM_X86_SW_PROTECTED_VM), free_fd = lowest_fd();
	const uint64_t supported = converts_in_place() ? ALL_FLAGS : GUEST_MEMFD_FLAG_MMAP;
	unsigned int tried = 0;
	bool right = true;

	for (uint64_t flags = 0; flags <= supported; flags++) {
		if (create_and_close(vm_fd, PAGE, flags) == EINVAL)
			continue;
		tried++;
		right &= returns(ENFILE, create_one_too_many(vm_fd, flags)) &&
			 returns(0, create_and_close(vm_fd, PAGE, flags));
	}
	ok(right && tried && lowest_fd() == free_fd,
	   "no more files are allowed: ENFILE, no descriptor is lost, and the next one is created");
	close(vm_fd);
}

void test_create(void)
{
	test_creation(KVM_X86_DEFAULT_VM, "VM of the default type");
	test_creation(KVM_X86_SW_PROTECTED_VM, "protected VM");
	test_too_many_files();
}

/* --- checks -------------------------------------------------------------- */

#define FILE_PAGES	8u
#define PRIVATE_PAGES	2u	/* from page 0 on */
#define RANGE_FIRST	1u	/* one page of it is private, one is shared */
#define RANGE_PAGES	2u

static int request(int fd, void *attributes)
{
	return ioctl(fd, KVM_SET_MEMORY_ATTRIBUTES2, attributes) ? errno : 0;
}

static struct kvm_memory_attributes2 valid_request(uint64_t attributes)
{
	return (struct kvm_memory_attributes2) {
	       .offset = RANGE_FIRST * PAGE,
	       .size = RANGE_PAGES * PAGE,
	       .attributes = attributes,
	       .error_offset = UNTOUCHED,
	};
}

static void create_checked(void)
{
	create_work(FILE_PAGES, INIT_SHARED_FLAGS);
	convert_pages(0, PRIVATE_PAGES, true);
}

static bool state_is_right(void)
{
	return are_private(0, PRIVATE_PAGES) &
	       are_shared(PRIVATE_PAGES, FILE_PAGES - PRIVATE_PAGES);
}

/* The request with either attribute, one of which would change something. */
static bool is_invalid(struct kvm_memory_attributes2 attributes)
{
	bool right = true;

	for (int private = 0; private < 2; private++) {
		struct kvm_memory_attributes2 asked = attributes;

		asked.attributes ^= private ? PRIVATE : 0;
		attributes = asked;
		right &= returns(EINVAL, request(work.fd, &asked)) &&
			 (!memcmp(&asked, &attributes, sizeof(asked)) ||
			  complain("something is written back"));
	}
	return right;
}

static void test_ranges(void)
{
	static const struct {
		const char *what;
		uint64_t offset, size;
	} cases[] = {
		{ "offset off by one byte", RANGE_FIRST * PAGE + 1, PAGE },
		{ "offset in the middle of a page", RANGE_FIRST * PAGE + PAGE / 2, PAGE },
		{ "size one byte short", RANGE_FIRST * PAGE, PAGE - 1 },
		{ "size one byte over", RANGE_FIRST * PAGE, PAGE + 1 },
		{ "offset and size unaligned, end aligned", RANGE_FIRST * PAGE + PAGE / 2,
		 PAGE / 2 },
		{ "size of zero", RANGE_FIRST * PAGE, 0 },
		{ "size of zero at zero", 0, 0 },
		{ "offset at the end of the file", FILE_PAGES * PAGE, PAGE },
		{ "offset past the end of the file", 1ull << 40, PAGE },
		{ "end one page past that of the file", RANGE_FIRST * PAGE, FILE_PAGES * PAGE },
		{ "all of the file and a page", 0, (FILE_PAGES + 1) * PAGE },
		{ "end at 2^64", -PAGE, PAGE },
		{ "end past 2^64", -PAGE, (RANGE_FIRST + 2) * PAGE },
		{ "size up to the offset again", RANGE_FIRST * PAGE, -PAGE },
		{ "offset of 2^63", 1ull << 63, PAGE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kvm_memory_attributes2 attributes = valid_request(0);

		attributes.offset = cases[i].offset;
		attributes.size = cases[i].size;
		ok(is_invalid(attributes) && state_is_right(), "%s: EINVAL, nothing changes",
		   cases[i].what);
	}
}

static void test_fields(void)
{
	struct kvm_memory_attributes2 attributes;
	bool right = true;

	for (int bit = 0; bit < 64; bit++) {
		attributes = valid_request(0);
		attributes.flags = 1ull << bit;
		right &= is_invalid(attributes);
	}
	ok(right && state_is_right(), "each flag: EINVAL, nothing changes");
	right = true;
	for (int bit = 0; bit < 64; bit++) {
		attributes = valid_request(1ull << bit);
		right &= attributes.attributes == PRIVATE || is_invalid(attributes);
	}
	ok(right && state_is_right(),
	   "each other attribute, with and without private: EINVAL, nothing changes");
	for (size_t i = 0; i < ARRAY_SIZE(attributes.reserved); i++) {
		right = true;
		for (int bit = 0; bit < 64; bit++) {
			attributes = valid_request(0);
			attributes.reserved[i] = 1ull << bit;
			right &= is_invalid(attributes);
		}
		ok(right && state_is_right(), "reserved[%zu]: EINVAL, nothing changes", i);
	}
}

static void test_pointers(void)
{
	struct kvm_memory_attributes2 attributes = valid_request(PRIVATE);
	char *end = (char *)map_memory(0, 2 * PAGE) + PAGE;
	char *cut = end - offsetof(struct kvm_memory_attributes2, reserved[10]);

	munmap(end, PAGE);
	attributes.flags = 1;
	memcpy(cut, &attributes, end - cut);
	ok(returns(EFAULT, request(work.fd, NULL)) &&
	   returns(EFAULT, request(work.fd, (void *)-PAGE)), "a bad pointer: EFAULT");
	ok(returns(EFAULT, request(work.fd, cut)) && state_is_right(),
	   "a struct that ends outside of memory, and is wrong as well: EFAULT, nothing changes");
}

static void test_fd(int fd, int expected, const char *what)
{
	struct kvm_memory_attributes2 attributes = valid_request(PRIVATE);
	const int with_struct = request(fd, &attributes), without = request(fd, NULL);

	ok(returns(expected, with_struct) && returns(expected, without),
	   "%s: %s, whatever the pointer", what, strerrorname_np(expected));
	close(fd);
}

static void test_fds(void)
{
	const int closed_fd = check(dup(vm.fd), "dup");

	test_fd(check(dup(vm.fd), "dup"), ENOTTY, "a VM");
	test_fd(check(dup(kvm_fd()), "dup"), EINVAL, "/dev/kvm");
	test_fd(check(dup(vm.vcpus[0].fd), "dup"), EINVAL, "a vCPU");
	test_fd(open_stats(vm.fd), ENOTTY, "a VM's statistics");
	test_fd(check(eventfd(0, 0), "eventfd"), ENOTTY, "an eventfd");
	test_fd(check(memfd_create("test", 0), "memfd_create"), ENOTTY, "a memfd");
	test_fd(check(open("/dev/kvm", O_PATH), "/dev/kvm"), EBADF, "an O_PATH fd");
	close(closed_fd);
	test_fd(closed_fd, EBADF, "a closed fd");
	ok(state_is_right(), "nothing changes");
}

static void test_other_ioctls(void)
{
	static const struct {
		const char *what;
		unsigned long number;
	} cases[] = {
		{ "the VM's ioctl", KVM_SET_MEMORY_ATTRIBUTES },
		{ "KVM_GET_API_VERSION", KVM_GET_API_VERSION },
		{ "a smaller struct", _IOWR(KVMIO, 0xd2, char[64]) },
		{ "a larger struct", _IOWR(KVMIO, 0xd2, char[136]) },
		{ "a struct that is not written back",
		 _IOW(KVMIO, 0xd2, struct kvm_memory_attributes2) },
		{ "the next number", _IOWR(KVMIO, 0xd3, struct kvm_memory_attributes2) },
	};
	struct kvm_memory_attributes2 attributes = valid_request(PRIVATE);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ok(ioctl(work.fd, cases[i].number, &attributes) < 0 && returns(ENOTTY, errno) &&
		   state_is_right(),
		   "%s on the guest_memfd: ENOTTY, nothing changes", cases[i].what);
}

static void test_plain_vm(void)
{
	const int vm_fd = create_vm_fd(KVM_X86_DEFAULT_VM),
		fd = try_create_gmem(vm_fd, FILE_PAGES * PAGE, ALL_FLAGS);
	struct kvm_memory_attributes2 attributes = valid_request(PRIVATE);
	const int to_private = request(fd, &attributes);

	attributes = valid_request(0);
	ok(returns(EINVAL, to_private) && returns(EINVAL, request(fd, &attributes)),
	   "a file of a VM without private memory: EINVAL");
	close(fd);
	close(vm_fd);
}

/* --- 32-bit callers ------------------------------------------------------ */

enum { COMPAT_GETPID = 20, COMPAT_IOCTL = 54 };

/* As a 32-bit program enters the kernel, which a 64-bit one can do as well. */
static int compat_syscall(int number, int fd, uint32_t request_number, uint32_t arg)
{
	int ret;

	asm volatile("int $0x80" : "=a"(ret) : "0"(number), "b"(fd), "c"(request_number), "d"(arg) :
		     "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static int has_compat(void *unused)
{
	(void)unused;
	signal(SIGSEGV, SIG_DFL);
	return compat_syscall(COMPAT_GETPID, 0, 0, 0) != getpid();
}

static void test_compat(void)
{
	struct kvm_memory_attributes2 *low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
						  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (low == MAP_FAILED)
		failed("mmap");
	*low = valid_request(PRIVATE);
	if (in_child(has_compat, NULL))
		skip("32-bit callers", "the kernel has no CONFIG_IA32_EMULATION");
	else
		ok(returns(ENOTTY,
			   -compat_syscall(COMPAT_IOCTL, work.fd, KVM_SET_MEMORY_ATTRIBUTES2,
					   (uintptr_t)low)) && state_is_right(),
		   "a 32-bit caller: ENOTTY, nothing changes");
	munmap(low, PAGE);
}

void test_checks(void)
{
	create_checked();
	ok(state_is_right(), "two pages are private, the others are shared");
	test_fds();
	test_other_ioctls();
	test_compat();
	test_pointers();
	test_ranges();
	test_fields();
	test_plain_vm();
	destroy_work();
}

/*
 * A file that can be mapped is all of the guest's memory, although it is the VM that says what is private;
 * the host has no access, as it begins as private and stays so.
 */
static void test_mappable_off(void)
{
	create_work(FILE_PAGES, GUEST_MEMFD_FLAG_MMAP);
	ok(host_is_refused(0) && guest_finds(0, 0),
	   "a file to be mapped: the guest has access, the host has not");
	vm.vcpus[0].list[0] = page_gpa(0);
	run_list(&vm.vcpus[0], guest_write, 1, PRIVATE_TAG);
	set(0, 1, true);
	ok(host_is_refused(0) && guest_finds(0, page_gpa(0) | PRIVATE_TAG),
	   "so they have if the VM says that a page is private");
	set(0, 1, false);
	ok(host_is_refused(0) && guest_finds(0, page_gpa(0) | PRIVATE_TAG), "and shared again");
	destroy_work();
}

void test_off(void)
{
	static const uint64_t flags[] = { 0, GUEST_MEMFD_FLAG_MMAP };

	create_vm(1);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		test_fd(try_create_gmem(vm.fd, FILE_PAGES * PAGE, flags[i]), ENOTTY,
			flags[i] ? "a guest_memfd to be mapped" : "a guest_memfd");
	destroy_vm();
	test_mappable_off();
}

/* --- what is written back ------------------------------------------------ */

static bool answers(struct kvm_memory_attributes2 attributes, int expected_err,
		    uint64_t expected_offset)
{
	struct kvm_memory_attributes2 expected = attributes;

	expected.error_offset = expected_offset;
	return returns(expected_err, request(work.fd, &attributes)) &&
	       (!memcmp(&attributes, &expected, sizeof(expected)) ||
		complain("the error's offset is 0x%" PRIx64, (uint64_t)attributes.error_offset));
}

static void test_read_only(void)
{
	struct kvm_memory_attributes2 *attributes = map_memory(0, PAGE);

	*attributes = valid_request(PRIVATE);
	check(mprotect(attributes, PAGE, PROT_READ), "mprotect");
	hold(work_page(RANGE_FIRST + 1));
	ok(returns(EFAULT, request(work.fd, attributes)) &&
	   are_shared(PRIVATE_PAGES, FILE_PAGES - PRIVATE_PAGES),
	   "a held page, and a struct in read-only memory: EFAULT, nothing changes");
	release();
	ok(returns(0, request(work.fd, attributes)), "it suffices for a success");
	munmap(attributes, PAGE);
}

void test_answers(void)
{
	create_checked();
	ok(answers(valid_request(0), 0, UNTOUCHED) && are_private(0, RANGE_FIRST) &&
	   are_shared(RANGE_FIRST, FILE_PAGES - RANGE_FIRST),
	   "to shared: whatever error_offset is, it is not looked at and stays as it is");
	ok(answers(valid_request(PRIVATE), 0, UNTOUCHED) && are_private(RANGE_FIRST, RANGE_PAGES),
	   "so it is to private");
	ok(answers(valid_request(PRIVATE), 0, UNTOUCHED), "and where nothing changes");
	convert_pages(0, FILE_PAGES, false);
	hold(work_page(RANGE_FIRST + 1));
	ok(answers(valid_request(PRIVATE), EAGAIN, (RANGE_FIRST + 1) * PAGE) &&
	   are_shared(0, FILE_PAGES),
	   "a held page: the struct comes back with its offset, nothing changes");
	ok(answers(valid_request(0), 0, UNTOUCHED),
	   "that a page is held does not matter if it stays shared");
	release();
	convert_pages(0, PRIVATE_PAGES, true);
	test_read_only();
	destroy_work();
}
