// SPDX-License-Identifier: GPL-2.0
#include "walker.h"

#include <err.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The guest runs in 32-bit protected mode without paging. */
#define CODE_GPA PAGE

/* Reads a word of each page: esi is the first, edx the distance to the next, ecx how many. */
extern const char guest_end[];
asm(".pushsection .rodata\n"
    ".code32\n"
    ".globl guest_walk, guest_random\n"
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

struct walker create_walker(void)
{
	struct walker guest = { .vm_fd = create_protected_vm_fd() };
	char *page = map_memory(CODE_GPA, PAGE);

	memcpy(page, guest_walk, guest_end - guest_walk);
	set_memslot(guest.vm_fd, 1, CODE_GPA, PAGE, page, -1);
	guest.vcpu_fd = create_vcpu_fd(guest.vm_fd, 0, &guest.run);
	set_protected_mode(guest.vcpu_fd);
	return guest;
}

void run_walker(struct walker *guest, const char *entry, uint64_t gpa, uint64_t count, uint64_t rdx)
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

void destroy_walker(struct walker *guest)
{
	destroy_vcpu(guest->vcpu_fd, guest->run);
	close(guest->vm_fd);
}
