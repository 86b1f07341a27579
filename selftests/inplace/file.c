// SPDX-License-Identifier: GPL-2.0
/*
 * The file itself, its memslots, and its life. The cases are those of upstream's guest_memfd_test,
 * set_memory_region_test and private_mem_kvm_exits_test.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inplace.h"
#include "tap.h"

#define FILE_PAGES	4u
#define FILE_SIZE	(FILE_PAGES * PAGE)

/* A file that is neither of a guest nor mapped. */
struct plain_file {
	const char *name;
	int vm_fd, fd;
	uint64_t flags;
};

static int error_of(long ret)
{
	return ret < 0 ? errno : 0;
}

static void test_io(const struct plain_file *file)
{
	char bytes[16] = "";

	ok(error_of(read(file->fd, bytes, sizeof(bytes))) &&
	   error_of(write(file->fd, bytes, sizeof(bytes))) &&
	   error_of(pread(file->fd, bytes, sizeof(bytes), 0)) &&
	   error_of(pwrite(file->fd, bytes, sizeof(bytes), 0)),
	   "%s: it is neither read nor written", file->name);
}

static void test_size(const struct plain_file *file)
{
	const int other = try_create_gmem(file->vm_fd, 2 * FILE_SIZE, file->flags);
	struct stat stat, other_stat;

	check(fstat(file->fd, &stat), "fstat");
	check(fstat(other, &other_stat), "fstat");
	ok(stat.st_size == FILE_SIZE && other_stat.st_size == 2 * FILE_SIZE &&
	   stat.st_blksize == PAGE, "%s: fstat() tells its size", file->name);
	ok(stat.st_ino != other_stat.st_ino, "%s: and each file has its own inode", file->name);
	ok(returns(EINVAL, error_of(ftruncate(file->fd, FILE_SIZE / 2))) &&
	   returns(EINVAL, error_of(ftruncate(file->fd, FILE_SIZE * 2))),
	   "%s: whose size cannot be changed", file->name);
	close(other);
}

static void test_holes(const struct plain_file *file)
{
	ok(returns(EINVAL, try_punch(file->fd, 1, PAGE)) &&
	   returns(EINVAL, try_punch(file->fd, 0, PAGE - 1)) &&
	   returns(EINVAL, try_punch(file->fd, PAGE / 2, PAGE)) &&
	   returns(EINVAL, try_punch(file->fd, 0, PAGE + 1)),
	   "%s: a hole of parts of pages: EINVAL", file->name);
	ok(returns(0, try_punch(file->fd, 0, PAGE)) &&
	   returns(0, try_punch(file->fd, FILE_SIZE, PAGE)) &&
	   returns(0, try_punch(file->fd, FILE_SIZE + PAGE, PAGE)) &&
	   returns(0, try_punch(file->fd, FILE_SIZE - PAGE, 2 * PAGE)),
	   "%s: a hole in it, past its end, and both: success", file->name);
}

static int try_allocate(int fd, uint64_t offset, uint64_t size)
{
	return error_of(fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, size));
}

static void test_allocate(const struct plain_file *file)
{
	struct stat stat;

	ok(returns(0, try_allocate(file->fd, 0, FILE_SIZE)) &&
	   returns(0, try_allocate(file->fd, PAGE, PAGE)),
	   "%s: pages of it are allocated", file->name);
	ok(try_allocate(file->fd, FILE_SIZE, PAGE) &&
	   try_allocate(file->fd, FILE_SIZE - PAGE, 2 * PAGE) &&
	   try_allocate(file->fd, PAGE / 2, PAGE) && try_allocate(file->fd, 0, PAGE / 2),
	   "%s: not past its end, nor parts of pages", file->name);
	check(fstat(file->fd, &stat), "fstat");
	ok(stat.st_size == FILE_SIZE, "%s: its size stays the same", file->name);
}

static int mmap_error(int fd, int flags)
{
	void *memory = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (memory == MAP_FAILED)
		return errno;
	munmap(memory, FILE_SIZE);
	return 0;
}

static void test_mmap(const struct plain_file *file)
{
	const bool mappable = file->flags & GUEST_MEMFD_FLAG_MMAP;

	ok(returns(mappable ? 0 : ENODEV, mmap_error(file->fd, MAP_SHARED)), "%s: mmap(): %s",
	   file->name, mappable ? "success" : "ENODEV");
	ok(returns(mappable ? EINVAL : ENODEV, mmap_error(file->fd, MAP_PRIVATE)),
	   "%s: mmap() with copy-on-write: %s", file->name, mappable ? "EINVAL" : "ENODEV");
}

static bool each_page_is(uint8_t *memory, uint64_t first, uint64_t pages, bool accessible)
{
	bool right = true;

	for (uint64_t page = first; page < first + pages; page++) {
		uint32_t word = 0;
		const int code = try_load(memory + page * PAGE, &word);

		right &= (accessible ? !code && !word : code == BUS_ADRERR) ||
			 complain("page %lu: signal code %d, word 0x%x", page, code, word);
	}
	return right;
}

static void test_mapping(const struct plain_file *file)
{
	const bool shared = file->flags & GUEST_MEMFD_FLAG_INIT_SHARED;
	uint8_t *memory = map_file(file->fd, FILE_SIZE + PAGE, MAP_SHARED);

	ok(each_page_is(memory, 0, FILE_PAGES, shared), "%s: its pages %s", file->name,
	   shared ? "read as zero" : "are SIGBUS");
	ok(each_page_is(memory, FILE_PAGES, 1, false), "%s: past its end is SIGBUS", file->name);
	ok(returns(0, error_of(madvise(memory, FILE_SIZE, MADV_HUGEPAGE))) &&
	   returns(EINVAL, error_of(madvise(memory, FILE_SIZE, MADV_COLLAPSE))),
	   "%s: no huge page comes of MADV_HUGEPAGE, nor of MADV_COLLAPSE: EINVAL", file->name);
	ok(returns(0, error_of(madvise(memory, FILE_SIZE, MADV_DONTNEED))) &&
	   each_page_is(memory, 0, FILE_PAGES, shared),
	   "%s: after MADV_DONTNEED it is what it was", file->name);
	munmap(memory, FILE_SIZE + PAGE);
}

static void test_content(const struct plain_file *file)
{
	uint8_t *memory = map_file(file->fd, FILE_SIZE, MAP_SHARED);
	uint8_t *other = map_file(file->fd, FILE_SIZE, MAP_SHARED);

	write_shared_words(memory, 0, FILE_PAGES);
	check(madvise(memory, FILE_SIZE, MADV_DONTNEED), "madvise");
	ok(!memcmp(memory, other, FILE_SIZE) &&
	   *(uint32_t *)(other + PAGE) == (page_gpa(1) | SHARED_TAG),
	   "%s: two mappings have the same content, which MADV_DONTNEED keeps", file->name);
	check(-try_punch(file->fd, PAGE, PAGE), "fallocate");
	ok(each_page_is(memory, 1, 1, true) && each_page_is(other, 1, 1, true) &&
	   *(uint32_t *)(other + 2 * PAGE) == (page_gpa(2) | SHARED_TAG),
	   "%s: a hole is one in both", file->name);
	munmap(memory, FILE_SIZE);
	munmap(other, FILE_SIZE);
}

static void test_file(unsigned long type, uint64_t flags)
{
	static char name[64];
	struct plain_file file = { .name = name, .vm_fd = create_vm_fd(type), .flags = flags };

	snprintf(name, sizeof(name), "%s VM, %s",
		 type == KVM_X86_DEFAULT_VM ? "default" : "protected",
		 flags & GUEST_MEMFD_FLAG_INIT_SHARED ? "shared" : flags ? "mappable" : "no flags");
	file.fd = try_create_gmem(file.vm_fd, FILE_SIZE, flags);
	if (file.fd < 0) {
		ok(returns(0, -file.fd), "%s: the file is created", name);
		close(file.vm_fd);
		return;
	}
	test_io(&file);
	test_size(&file);
	test_mmap(&file);
	if (flags & GUEST_MEMFD_FLAG_MMAP)
		test_mapping(&file);
	if (flags & GUEST_MEMFD_FLAG_INIT_SHARED)
		test_content(&file);
	test_holes(&file);
	test_allocate(&file);
	close(file.fd);
	close(file.vm_fd);
}

/* The guest has no other memory than a file's, and the memslot has no address. */
static void test_plain_guest(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	uint8_t *memory;
	int fd;

	create_plain_vm(1);
	fd = try_create_gmem(vm.fd, FILE_SIZE, INIT_SHARED_FLAGS);
	if (fd < 0) {
		ok(returns(0, -fd), "a VM of the default type has a file");
		destroy_vm();
		return;
	}
	memory = map_file(fd, FILE_SIZE, MAP_SHARED);
	set_slot(WORK_SLOT, AREA_GPA, FILE_SIZE, NULL, fd);
	write_shared_words(memory, 0, FILE_PAGES);
	ok(pages_are_right(vcpu, 0, FILE_PAGES, is_own_word),
	   "the guest of a default VM uses a file, without an address: it finds what the host wrote");
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		vcpu->list[page] = page_gpa(page);
	run_list(vcpu, guest_write, FILE_PAGES, PRIVATE_TAG);
	ok(*(uint32_t *)(memory + PAGE) == (page_gpa(1) | PRIVATE_TAG),
	   "the host finds what the guest has written");
	munmap(memory, FILE_SIZE);
	destroy_vm();
	close(fd);
}

void test_files(void)
{
	static const uint64_t flags[] = { 0, INIT_PRIVATE_FLAGS, INIT_SHARED_FLAGS };

	catch_bus_errors();
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		test_file(KVM_X86_DEFAULT_VM, flags[i]);
		if (converts_in_place() || !(flags[i] & GUEST_MEMFD_FLAG_INIT_SHARED))
			test_file(KVM_X86_SW_PROTECTED_VM, flags[i]);
	}
	test_plain_guest();
}

/* --- memslots ------------------------------------------------------------ */

#define OTHER_GPA	page_gpa(AREA_PAGES / 2)
#define OTHER_SLOT	PLAIN_SLOT

static int try_slot(uint32_t flags, int fd, uint64_t offset)
{
	const struct kvm_userspace_memory_region2 region = {
		.slot = OTHER_SLOT,
		.flags = KVM_MEM_GUEST_MEMFD | flags,
		.guest_phys_addr = OTHER_GPA,
		.memory_size = FILE_SIZE,
		.userspace_addr = (uintptr_t)work.memory,
		.guest_memfd = fd,
		.guest_memfd_offset = offset,
	};

	return try_set_region(vm.fd, &region);
}

static void test_bad_slots(void)
{
	const int other_vm = create_protected_vm_fd(),
		other_fd = try_create_gmem(other_vm, FILE_SIZE, INIT_SHARED_FLAGS);
	const int fd = try_create_gmem(vm.fd, FILE_SIZE, INIT_SHARED_FLAGS);

	ok(returns(EINVAL, try_slot(0, other_fd, 0)), "the file of another VM: EINVAL");
	ok(returns(EINVAL, try_slot(KVM_MEM_LOG_DIRTY_PAGES, fd, 0)) &&
	   returns(EINVAL, try_slot(KVM_MEM_READONLY, fd, 0)),
	   "a memslot that logs dirty pages, or that is read-only: EINVAL");
	ok(returns(EINVAL, try_slot(0, fd, PAGE)) && returns(EINVAL, try_slot(0, fd, PAGE / 2)) &&
	   returns(EINVAL, try_slot(0, fd, -PAGE)) && returns(EINVAL, try_slot(0, fd, -FILE_SIZE)),
	   "a part that is not in the file: EINVAL");
	ok(try_slot(0, work.fd, 0), "a part of a file that another memslot has already is refused");
	close(fd);
	close(other_fd);
	close(other_vm);
}

/* The second half of the file is at OTHER_GPA. */
static void test_two_slots(void)
{
	const uint64_t half = FILE_PAGES, other = (OTHER_GPA - AREA_GPA) / PAGE;
	struct vcpu *vcpu = &vm.vcpus[0];
	bool right = true;

	set_slot(WORK_SLOT, AREA_GPA, 0, NULL, -1);
	right &= !try_set_gmem_slot(vm.fd, WORK_SLOT, AREA_GPA, half * PAGE, work.memory, work.fd,
				    0);
	right &= !try_set_gmem_slot(vm.fd, OTHER_SLOT, OTHER_GPA, half * PAGE, work_page(half),
				    work.fd, half * PAGE);
	ok(right, "two memslots have a file between them");
	for (uint64_t page = 0; page < 2 * half; page++)
		right &= !try_store(work_page(page), page + 1);
	convert_pages(half - 1, 2, true);
	right &= host_is_refused(half - 1) && host_is_refused(half);
	for (uint64_t page = 0; page < half; page++)
		right &= guest_finds(page, page + 1) & guest_finds(other + page, half + page + 1);
	ok(right, "a range of both becomes private: the guest finds each page where it was");
	vcpu->list[0] = OTHER_GPA;
	run_list(vcpu, guest_write, 1, PRIVATE_TAG);
	convert_pages(half - 1, 2, false);
	ok(host_finds(half, OTHER_GPA | PRIVATE_TAG) && host_finds(half - 1, half),
	   "and shared again, with what was written");
	set_slot(OTHER_SLOT, OTHER_GPA, 0, NULL, -1);
}

static atomic_bool is_running;

/* The vCPU reads private pages until there are none. */
static void *read_until_exit(void *arg)
{
	struct vcpu *vcpu = arg;
	int ret;

	do {
		start_guest(vcpu, guest_read, FILE_PAGES, 0);
		ret = ioctl(vcpu->fd, KVM_RUN, NULL);
		is_running = true;
	} while (!ret && vcpu->run->exit_reason == KVM_EXIT_IO);
	return NULL;
}

/* With two backings there would be a memory fault instead. */
static void test_deleted_slot(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	pthread_t reader;

	for (unsigned int i = 0; i < FILE_PAGES; i++)
		vcpu->list[i] = page_gpa(i);
	convert_pages(0, FILE_PAGES, true);
	is_running = false;
	reader = start_thread(read_until_exit, vcpu);
	while (!is_running)
		usleep(1000);
	set_slot(WORK_SLOT, AREA_GPA, 0, NULL, -1);
	pthread_join(reader, NULL);
	ok(vcpu->run->exit_reason == KVM_EXIT_MMIO && !vcpu->run->mmio.is_write &&
	   vcpu->run->mmio.len == 4 &&
	   vcpu->run->mmio.phys_addr - AREA_GPA < FILE_SIZE,
	   "a private memslot is deleted while a vCPU reads it: MMIO (exit %u)",
	   vcpu->run->exit_reason);
}

void test_slots(void)
{
	create_work(2 * FILE_PAGES, INIT_SHARED_FLAGS);
	test_bad_slots();
	test_two_slots();
	destroy_work();
	create_work(FILE_PAGES, INIT_SHARED_FLAGS);
	test_deleted_slot();
	destroy_work();
}

/* --- life ---------------------------------------------------------------- */

/* Without a memslot, and without a VM. */
static void test_without_vm(void)
{
	create_work(FILE_PAGES, INIT_SHARED_FLAGS);
	ok(are_shared(0, FILE_PAGES), "host and guest use a file");
	destroy_vm();
	convert_pages(0, 2, true);
	ok(host_is_refused(0) && host_is_refused(1) && host_finds(2, work.words[2]),
	   "its VM is closed: pages are converted still, the host has access to the others");
	check(-try_punch(work.fd, 0, PAGE), "fallocate");
	check(-try_allocate(work.fd, 0, FILE_SIZE), "fallocate");
	convert_pages(0, 2, false);
	ok(host_finds(0, 0) && host_finds(1, work.words[1]), "holes are punched, pages allocated");
	munmap(work.memory, FILE_SIZE);
	close(work.fd);
}

static void test_without_fd(void)
{
	create_work(FILE_PAGES, INIT_SHARED_FLAGS);
	convert_pages(0, 1, true);
	ok(are_private(0, 1) & are_shared(1, FILE_PAGES - 1), "host and guest use a file");
	close(work.fd);
	ok(are_private(0, 1) & are_shared(1, FILE_PAGES - 1),
	   "its descriptor is closed while it is mapped: both go on to use it");
	destroy_vm();
	ok(host_is_refused(0) && host_finds(1, work.words[1]),
	   "so does the host when the VM is closed");
	munmap(work.memory, FILE_SIZE);
}

/* The guest's memory is the file's, not that which the host has at the slot's address. */
static void test_elsewhere(void)
{
	uint8_t *memory = map_memory(AREA_GPA, FILE_SIZE);

	create_work(FILE_PAGES, INIT_SHARED_FLAGS);
	set_slot(WORK_SLOT, AREA_GPA, 0, NULL, -1);
	memset(memory, 0xee, FILE_SIZE);
	set_slot(WORK_SLOT, AREA_GPA, FILE_SIZE, memory, work.fd);
	ok(are_shared(0, FILE_PAGES),
	   "other memory at the slot's address is not what the guest finds");
	convert_pages(0, FILE_PAGES, true);
	ok(are_private(0, FILE_PAGES), "nor when its pages are private");
	set_slot(WORK_SLOT, AREA_GPA, 0, NULL, -1);
	set_slot(WORK_SLOT, AREA_GPA, FILE_SIZE, NULL, work.fd);
	ok(are_private(0, FILE_PAGES), "nothing at its address: nothing changes");
	convert_pages(0, FILE_PAGES, false);
	ok(are_shared(0, FILE_PAGES), "nor when they are shared again");
	destroy_work();
}

void test_lifetime(void)
{
	test_without_vm();
	test_without_fd();
	test_elsewhere();
}
