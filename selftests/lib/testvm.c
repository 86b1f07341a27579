// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "testvm.h"

/* Debian 12's headers are older than the system call: see include/uapi/linux/mman.h. */
#ifndef SYS_cachestat
#define SYS_cachestat	451
#endif

struct file_range {
	uint64_t offset;
	uint64_t length;		/* 0: to the end of the file */
};

struct file_cache {
	uint64_t pages;
	uint64_t dirty;
	uint64_t writeback;
	uint64_t evicted;
	uint64_t recently_evicted;
};

/* Control registers, as the processor manuals name their bits. */
#define CR0_PE		(1ull << 0)
#define CR0_ET		(1ull << 4)
#define CR0_PG		(1ull << 31)
#define CR4_PAE		(1ull << 5)
#define EFER_LME	(1ull << 8)
#define EFER_LMA	(1ull << 10)

__attribute__((weak, noreturn)) void failed(const char *what)
{
	err(1, "%s", what);
}

int check(int ret, const char *what)
{
	if (ret < 0)
		failed(what);
	return ret;
}

pthread_t start_thread(void *(*function)(void *), void *arg)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, function, arg);
	if (errno)
		failed("pthread_create");
	return thread;
}

int kvm_fd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
	return fd;
}

int create_vm_fd(unsigned long type)
{
	return check(ioctl(kvm_fd(), KVM_CREATE_VM, type), "KVM_CREATE_VM");
}

int create_protected_vm_fd(void)
{
	return create_vm_fd(KVM_X86_SW_PROTECTED_VM);
}

void *map_memory(uint64_t gpa, uint64_t size)
{
	const uint64_t align = GIB_PAGES * PAGE;
	char *memory = mmap(NULL, size + align, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		failed("mmap of a guest's memory");
	return memory + (gpa - (uintptr_t)memory) % align;
}

void *map_file(int fd, uint64_t size, int flags)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (memory == MAP_FAILED)
		failed("mmap of a file");
	return memory;
}

int create_gmem(int vm_fd, uint64_t size)
{
	struct kvm_create_guest_memfd gmem = { .size = size };

	return check(ioctl(vm_fd, KVM_CREATE_GUEST_MEMFD, &gmem), "KVM_CREATE_GUEST_MEMFD");
}

int try_create_gmem(int vm_fd, uint64_t size, uint64_t flags)
{
	struct kvm_create_guest_memfd gmem = { .size = size, .flags = flags };
	int fd = ioctl(vm_fd, KVM_CREATE_GUEST_MEMFD, &gmem);

	return fd < 0 ? -errno : fd;
}

int64_t gmem_pages(int gmem_fd)
{
	struct file_range whole = { 0 };
	struct file_cache cache;

	return syscall(SYS_cachestat, gmem_fd, &whole, &cache, 0) ? -errno : (int64_t)cache.pages;
}

bool converts_in_place(void)
{
	char value[4] = "";
	int fd = open("/sys/module/kvm/parameters/gmem_in_place_conversion", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	check(read(fd, value, sizeof(value) - 1), "kvm.gmem_in_place_conversion");
	close(fd);
	return value[0] == 'Y';
}

int try_punch(int gmem_fd, uint64_t offset, uint64_t size)
{
	return fallocate(gmem_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size) ?
	       errno : 0;
}

int try_set_region(int vm_fd, const struct kvm_userspace_memory_region2 *region)
{
	return ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION2, region) ? errno : 0;
}

void set_memslot(int vm_fd, uint32_t slot, uint64_t gpa, uint64_t size, const void *memory, int gmem_fd)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = slot,
		.flags = gmem_fd < 0 ? 0 : KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
		.guest_memfd = gmem_fd < 0 ? 0 : gmem_fd,
	};

	if (try_set_region(vm_fd, &region))
		failed("KVM_SET_USER_MEMORY_REGION2");
}

int try_set_gmem_slot(int vm_fd, uint32_t slot, uint64_t gpa, uint64_t size, const void *memory, int gmem_fd,
		      uint64_t offset)
{
	const struct kvm_userspace_memory_region2 region = {
		.slot = slot,
		.flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
		.guest_memfd = gmem_fd,
		.guest_memfd_offset = offset,
	};

	return try_set_region(vm_fd, &region);
}

static size_t run_size(void)
{
	return check(ioctl(kvm_fd(), KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
}

int create_vcpu_fd(int vm_fd, unsigned int id, struct kvm_run **run)
{
	int fd = check(ioctl(vm_fd, KVM_CREATE_VCPU, id), "KVM_CREATE_VCPU");

	if (!run)
		return fd;
	*run = mmap(NULL, run_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*run == MAP_FAILED)
		failed("mmap of a vCPU");
	return fd;
}

void destroy_vcpu(int vcpu_fd, struct kvm_run *run)
{
	munmap(run, run_size());
	close(vcpu_fd);
}

struct kvm_cpuid2 *supported_cpuid(void)
{
	enum { ENTRIES = 256 };
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + ENTRIES * sizeof(cpuid->entries[0]));

	if (!cpuid)
		failed("calloc");
	cpuid->nent = ENTRIES;
	check(ioctl(kvm_fd(), KVM_GET_SUPPORTED_CPUID, cpuid), "KVM_GET_SUPPORTED_CPUID");
	return cpuid;
}

void set_cpuid(int vcpu_fd)
{
	struct kvm_cpuid2 *cpuid = supported_cpuid();

	check(ioctl(vcpu_fd, KVM_SET_CPUID2, cpuid), "KVM_SET_CPUID2");
	free(cpuid);
}

static void set_segments(struct kvm_sregs *sregs, bool long_mode)
{
	sregs->cs = (struct kvm_segment) {
		.limit = 0xffffffff, .selector = 8, .type = 11,
		.present = 1, .s = 1, .l = long_mode, .db = !long_mode, .g = 1,
	};
	sregs->ds = (struct kvm_segment) {
		.limit = 0xffffffff, .selector = 16, .type = 3,
		.present = 1, .s = 1, .db = 1, .g = 1,
	};
	sregs->es = sregs->fs = sregs->gs = sregs->ss = sregs->ds;
}

void set_protected_mode(int vcpu_fd)
{
	struct kvm_sregs sregs;

	check(ioctl(vcpu_fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	set_segments(&sregs, false);
	sregs.cr0 |= CR0_PE;
	check(ioctl(vcpu_fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
}

void set_long_mode(int vcpu_fd, uint64_t cr3)
{
	struct kvm_sregs sregs;

	check(ioctl(vcpu_fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	set_segments(&sregs, true);
	sregs.cr3 = cr3;
	sregs.cr4 = CR4_PAE;
	sregs.cr0 = CR0_PE | CR0_ET | CR0_PG;
	sregs.efer = EFER_LME | EFER_LMA;
	check(ioctl(vcpu_fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
}

int try_set_flagged(int fd, uint64_t gpa, uint64_t size, uint64_t attributes, uint64_t flags)
{
	struct kvm_memory_attributes request = {
		.address = gpa,
		.size = size,
		.attributes = attributes,
		.flags = flags,
	};

	return ioctl(fd, KVM_SET_MEMORY_ATTRIBUTES, &request) ? errno : 0;
}

int try_set_attributes(int fd, uint64_t gpa, uint64_t size, uint64_t attributes)
{
	return try_set_flagged(fd, gpa, size, attributes, 0);
}

void set_attributes(int fd, uint64_t gpa, uint64_t size, uint64_t attributes)
{
	if (try_set_attributes(fd, gpa, size, attributes))
		failed("KVM_SET_MEMORY_ATTRIBUTES");
}

int try_convert(int gmem_fd, uint64_t offset, uint64_t size, uint64_t attributes, uint64_t *error_offset)
{
	struct kvm_memory_attributes2 request = {
		.offset = offset,
		.size = size,
		.attributes = attributes,
		.error_offset = error_offset ? *error_offset : 0,
	};
	int err = ioctl(gmem_fd, KVM_SET_MEMORY_ATTRIBUTES2, &request) ? errno : 0;

	if (error_offset)
		*error_offset = request.error_offset;
	return err;
}

int try_pre_fault(int vcpu_fd, struct kvm_pre_fault_memory *range)
{
	return ioctl(vcpu_fd, KVM_PRE_FAULT_MEMORY, range) ? errno : 0;
}

int try_pre_fault_all(int vcpu_fd, uint64_t gpa, uint64_t size)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = size };
	int err = 0;

	while (range.size && !err)
		err = try_pre_fault(vcpu_fd, &range);
	return err;
}
