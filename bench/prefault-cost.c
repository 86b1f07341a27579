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
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench.h"
#include "kvmstat.h"
#include "policy.h"
#include "testvm.h"

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

/* A VM with @bytes of private memory at AREA_GPA. */
static struct guest start(uint64_t bytes)
{
	struct guest guest = { .vm_fd = create_protected_vm_fd() };
	char *page = map_memory(CODE_GPA, PAGE);

	memcpy(page, guest_walk, guest_end - guest_walk);
	set_memslot(guest.vm_fd, 1, CODE_GPA, PAGE, page, -1);
	add_memslot(guest.vm_fd, 0, AREA_GPA, bytes, bytes);
	guest.vcpu_fd = create_vcpu_fd(guest.vm_fd, 0, &guest.run);
	set_protected_mode(guest.vcpu_fd);
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

static void report(const char *name, struct guest *guest, uint64_t ns, uint64_t pages)
{
	if (name)
		printf("%s %llu %llu %llu\n", name, (unsigned long long)(ns / pages),
		       (unsigned long long)kvm_stat(guest->vcpu_fd, "pf_fixed"),
		       (unsigned long long)kvm_stat(guest->vm_fd, "pages_4k"));
	fflush(stdout);
	destroy_vcpu(guest->vcpu_fd, guest->run);
	close(guest->vm_fd);
}

/* A VM whose memory is all private. */
static struct guest start_private(uint64_t bytes)
{
	struct guest guest = start(bytes);

	set_attributes(guest.vm_fd, AREA_GPA, bytes, PRIVATE);
	return guest;
}

static void ioctl_all(const char *name, uint64_t bytes)
{
	struct guest guest = start_private(bytes);

	report(name, &guest, pre_fault_ns(guest.vcpu_fd, AREA_GPA, bytes), bytes / PAGE);
}

/* Memory is there and cleared, but not mapped. */
static void ioctl_cleared(const char *name, uint64_t bytes)
{
	struct guest guest = start_private(bytes);

	pre_fault_ns(guest.vcpu_fd, AREA_GPA, bytes);
	set_attributes(guest.vm_fd, AREA_GPA, bytes, 0);
	set_attributes(guest.vm_fd, AREA_GPA, bytes, PRIVATE);
	report(name, &guest, pre_fault_ns(guest.vcpu_fd, AREA_GPA, bytes), bytes / PAGE);
}

static void ioctl_mapped(const char *name, uint64_t bytes)
{
	struct guest guest = start_private(bytes);

	pre_fault_ns(guest.vcpu_fd, AREA_GPA, bytes);
	report(name, &guest, pre_fault_ns(guest.vcpu_fd, AREA_GPA, bytes), bytes / PAGE);
}

static void walk(const char *name, uint64_t bytes)
{
	struct guest guest = start_private(bytes);

	run(&guest, guest_walk, AREA_GPA, bytes / PAGE, PAGE);
	report(name, &guest, guest.ns, bytes / PAGE);
}

static void sparse(const char *name, uint64_t bytes)
{
	struct guest guest = start_private(bytes);

	run(&guest, guest_random, AREA_GPA, SPARSE_TOUCHES, bytes / PAGE - 1);
	report(name, &guest, guest.ns, SPARSE_TOUCHES);
}

/* A guest that accepts its memory 2 MiB at a time and uses it at once. */
static void accept_memory(const char *name, uint64_t bytes)
{
	struct guest guest = start(bytes);

	for (uint64_t gpa = AREA_GPA; gpa < AREA_GPA + bytes; gpa += PIECE) {
		guest.ns += set_attributes_ns(guest.vm_fd, gpa, PIECE, PRIVATE);
		run(&guest, guest_walk, gpa, PIECE / PAGE, PAGE);
	}
	report(name, &guest, guest.ns, bytes / PAGE);
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
	if (argc > 1 && strcmp(argv[1], "none") && !bpf_map__attach_struct_ops(load_policy(argv[1], -1)))
		err(1, "cannot attach %s", argv[1]);

	/* Once for what is allocated at the first time and kept. */
	walk(NULL, 4 * MIB);
	for (size_t i = 0; i < ARRAY_SIZE(works); i++) {
		if (is_wanted(works[i].name, argc, argv))
			works[i].run(works[i].name, works[i].bytes);
	}
	return 0;
}
