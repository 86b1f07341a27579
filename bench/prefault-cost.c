// SPDX-License-Identifier: GPL-2.0
/*
 * What it takes to get private memory mapped, in ns of CLOCK_MONOTONIC: instructions, in a VM that
 * counts these instead of time (selftests/vm/run --icount).
 *
 * usage: prefault-cost [POLICY.bpf.o|none [WORK...]]
 *
 * The policy, if any, governs all of the VMs. Without a WORK all of them are done.
 *
 * Prints "NAME PER_PAGE EXITS PAGES" a line: ns for each page that was asked for, stage-2 faults
 * of the guest, and pages mapped in the end.
 */
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "bench.h"

#define PAGE 4096ull
#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define PIECE (2 * MIB)

/* The guest runs in 32-bit protected mode without paging. */
#define CODE_GPA PAGE
#define AREA_GPA GIB
#define SPARSE_TOUCHES 16384u

/* Reads a word of each page: esi is the first, edx the distance to the next, ecx how many. */
extern const char guest_walk[], guest_random[], guest_end[];
asm(".pushsection .rodata\n"
    ".code32\n"
    "guest_walk:\n"
    "	movl (%esi), %eax\n"
    "	addl %edx, %esi\n"
    "	decl %ecx\n"
    "	jnz guest_walk\n"
    "	outb %al, $0x10\n"
    /* As above at random: ebx is the last number, edx a mask of pages, esi the area. */
    "guest_random:\n"
    "	imull $1664525, %ebx, %ebx\n"
    "	addl $1013904223, %ebx\n"
    "	movl %ebx, %edi\n"
    "	shrl $8, %edi\n"
    "	andl %edx, %edi\n"
    "	shll $12, %edi\n"
    "	movl (%esi,%edi), %eax\n"
    "	decl %ecx\n"
    "	jnz guest_random\n"
    "	outb %al, $0x10\n"
    "guest_end:\n"
    ".code64\n"
    ".popsection\n");

struct guest {
	int vm_fd, vcpu_fd;
	struct kvm_run *run;
	uint64_t ns;			/* in KVM_RUN */
};

static struct kvm_run *map_run(int vcpu_fd)
{
	int kvm_fd = open("/dev/kvm", O_RDWR), size = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_fd, 0);

	if (run == MAP_FAILED)
		err(1, "mmap of the vCPU");
	close(kvm_fd);
	return run;
}

static void set_mode(int vcpu_fd)
{
	const struct kvm_segment code = {
		.limit = 0xffffffff, .selector = 8, .type = 11,
		.present = 1, .s = 1, .db = 1, .g = 1,
	};
	const struct kvm_segment data = {
		.limit = 0xffffffff, .selector = 16, .type = 3,
		.present = 1, .s = 1, .db = 1, .g = 1,
	};
	struct kvm_sregs sregs;

	if (ioctl(vcpu_fd, KVM_GET_SREGS, &sregs))
		err(1, "KVM_GET_SREGS");
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = data;
	sregs.cr0 |= 1;
	if (ioctl(vcpu_fd, KVM_SET_SREGS, &sregs))
		err(1, "KVM_SET_SREGS");
}

/* A VM with @bytes of private memory at AREA_GPA. */
static struct guest start(uint64_t bytes)
{
	struct kvm_userspace_memory_region2 code = {
		.slot = 1, .guest_phys_addr = CODE_GPA, .memory_size = PAGE,
	};
	struct guest guest = { .vm_fd = create_vm() };
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		err(1, "mmap");
	memcpy(page, guest_walk, guest_end - guest_walk);
	code.userspace_addr = (uintptr_t)page;
	if (ioctl(guest.vm_fd, KVM_SET_USER_MEMORY_REGION2, &code))
		err(1, "cannot set the memslot of the code");
	add_memslot(guest.vm_fd, 0, AREA_GPA, bytes, bytes);
	guest.vcpu_fd = create_vcpu(guest.vm_fd);
	guest.run = map_run(guest.vcpu_fd);
	set_mode(guest.vcpu_fd);
	return guest;
}

static void run(struct guest *guest, const char *entry, uint64_t gpa, uint64_t count, uint64_t rdx)
{
	struct kvm_regs regs = {
		.rip = CODE_GPA + (entry - guest_walk),
		.rsi = gpa, .rcx = count, .rdx = rdx, .rbx = 1, .rflags = 2,
	};
	uint64_t start;

	if (ioctl(guest->vcpu_fd, KVM_SET_REGS, &regs))
		err(1, "KVM_SET_REGS");
	start = now_ns();
	if (ioctl(guest->vcpu_fd, KVM_RUN, 0))
		err(1, "KVM_RUN");
	guest->ns += now_ns() - start;
	if (guest->run->exit_reason != KVM_EXIT_IO)
		errx(1, "unexpected exit %u of the guest", guest->run->exit_reason);
}

/* A statistic of a VM or of a vCPU. */
static uint64_t read_stat(int fd, const char *name)
{
	struct kvm_stats_header header;
	struct kvm_stats_desc *desc;
	uint64_t value = 0;
	bool found = false;
	size_t size;

	fd = ioctl(fd, KVM_GET_STATS_FD, NULL);
	if (fd < 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header))
		err(1, "KVM_GET_STATS_FD");
	size = sizeof(*desc) + header.name_size;
	desc = malloc(size);
	for (uint32_t i = 0; desc && !found && i < header.num_desc; i++) {
		if (pread(fd, desc, size, header.desc_offset + i * size) != (ssize_t)size)
			err(1, "statistics");
		found = !strcmp(desc->name, name);
	}
	if (!found || pread(fd, &value, sizeof(value), header.data_offset + desc->offset) < 0)
		errx(1, "there is no statistic %s", name);
	free(desc);
	close(fd);
	return value;
}

static void report(const char *name, struct guest *guest, uint64_t ns, uint64_t pages)
{
	if (name)
		printf("%s %llu %llu %llu\n", name, (unsigned long long)(ns / pages),
		       (unsigned long long)read_stat(guest->vcpu_fd, "pf_fixed"),
		       (unsigned long long)read_stat(guest->vm_fd, "pages_4k"));
	fflush(stdout);
	munmap(guest->run, PAGE);
	close(guest->vcpu_fd);
	close(guest->vm_fd);
}

static void ioctl_all(const char *name, uint64_t bytes)
{
	struct guest guest = start(bytes);

	set_attributes(guest.vm_fd, AREA_GPA, bytes, PRIVATE);
	report(name, &guest, pre_fault(guest.vcpu_fd, AREA_GPA, bytes), bytes / PAGE);
}

/* Memory is there and cleared, but not mapped. */
static void ioctl_cleared(const char *name, uint64_t bytes)
{
	struct guest guest = start(bytes);

	set_attributes(guest.vm_fd, AREA_GPA, bytes, PRIVATE);
	pre_fault(guest.vcpu_fd, AREA_GPA, bytes);
	set_attributes(guest.vm_fd, AREA_GPA, bytes, 0);
	set_attributes(guest.vm_fd, AREA_GPA, bytes, PRIVATE);
	report(name, &guest, pre_fault(guest.vcpu_fd, AREA_GPA, bytes), bytes / PAGE);
}

static void ioctl_mapped(const char *name, uint64_t bytes)
{
	struct guest guest = start(bytes);

	set_attributes(guest.vm_fd, AREA_GPA, bytes, PRIVATE);
	pre_fault(guest.vcpu_fd, AREA_GPA, bytes);
	report(name, &guest, pre_fault(guest.vcpu_fd, AREA_GPA, bytes), bytes / PAGE);
}

static void walk(const char *name, uint64_t bytes)
{
	struct guest guest = start(bytes);

	set_attributes(guest.vm_fd, AREA_GPA, bytes, PRIVATE);
	run(&guest, guest_walk, AREA_GPA, bytes / PAGE, PAGE);
	report(name, &guest, guest.ns, bytes / PAGE);
}

static void sparse(const char *name, uint64_t bytes)
{
	struct guest guest = start(bytes);

	set_attributes(guest.vm_fd, AREA_GPA, bytes, PRIVATE);
	run(&guest, guest_random, AREA_GPA, SPARSE_TOUCHES, bytes / PAGE - 1);
	report(name, &guest, guest.ns, SPARSE_TOUCHES);
}

/* A guest that accepts its memory 2 MiB at a time and uses it at once. */
static void accept_memory(const char *name, uint64_t bytes)
{
	struct guest guest = start(bytes);

	for (uint64_t gpa = AREA_GPA; gpa < AREA_GPA + bytes; gpa += PIECE) {
		guest.ns += set_attributes(guest.vm_fd, gpa, PIECE, PRIVATE);
		run(&guest, guest_walk, gpa, PIECE / PAGE, PAGE);
	}
	report(name, &guest, guest.ns, bytes / PAGE);
}

static void attach(const char *path)
{
	struct bpf_object *object = bpf_object__open(path);
	struct bpf_map *map;

	if (!object || bpf_object__load(object))
		err(1, "%s", path);
	bpf_object__for_each_map(map, object) {
		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS && !bpf_map__attach_struct_ops(map))
			err(1, "cannot attach %s", path);
	}
}

struct work {
	const char *name;
	void (*run)(const char *name, uint64_t bytes);
	uint64_t bytes;
};

static const struct work works[] = {
	{ "ioctl-64m", ioctl_all, 64 * MIB },
	{ "ioctl-1g", ioctl_all, GIB },
	{ "ioctl-cleared", ioctl_cleared, 64 * MIB },
	{ "ioctl-mapped", ioctl_mapped, 64 * MIB },
	{ "walk-64m", walk, 64 * MIB },
	{ "walk-1g", walk, GIB },
	{ "sparse-1g", sparse, GIB },
	{ "accept-64m", accept_memory, 64 * MIB },
};

static bool is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		if (!strcmp(name, argv[i]))
			return true;
	}
	return argc <= 2;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "none"))
		attach(argv[1]);

	/* Once for what is allocated at the first time and kept. */
	walk(NULL, 4 * MIB);
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		if (is_wanted(works[i].name, argc, argv))
			works[i].run(works[i].name, works[i].bytes);
	}
	return 0;
}
