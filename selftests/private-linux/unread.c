// SPDX-License-Identifier: GPL-2.0
/*
 * Some instructions end in KVM, which has to know how long they are, and what their operands are.
 * The CPU tells that, but the CPU that QEMU emulates does not, and there KVM reads the instruction.
 * It cannot if that is private, nor can it translate its address by private page tables:
 *
 * - What only has to be skipped has taken effect by then. KVM gives up, and the reason of the exit
 *   tells the length.
 * - For an access to a control register, KVM has to read the instruction, which is lent to it: it
 *   becomes shared until the next exit. The page tables have to be shared all the time, because KVM
 *   does not give up over them: it tells the guest of a page fault.
 */
#include <asm/svm.h>
#include <cpuid.h>
#include <sys/ioctl.h>

#include "vmm.h"

#define AMD_LEAF_1		0x80000001
#define ECX_SVM			(1u << 2)
#define SVM_LEAF		0x8000000a
#define SVM_NEXT_RIP		(1u << 3)
#define SVM_DECODE_ASSISTS	(1u << 7)
#define INSTRUCTION_MAX_BYTES	15

bool kvm_reads_instructions(void)
{
	const unsigned int needed = SVM_NEXT_RIP | SVM_DECODE_ASSISTS;
	unsigned int eax, ebx, ecx, edx;

	if (!__get_cpuid(AMD_LEAF_1, &eax, &ebx, &ecx, &edx) || !(ecx & ECX_SVM))
		return false;
	return __get_cpuid(SVM_LEAF, &eax, &ebx, &ecx, &edx) && (edx & needed) != needed;
}

/* Returns 0 for what has not taken effect yet. */
static unsigned int bytes_to_skip(uint64_t exit_code)
{
	switch (exit_code) {
	case SVM_EXIT_HLT:
		return 1;
	case SVM_EXIT_CPUID:
	case SVM_EXIT_MSR:
		return 2;
	case SVM_EXIT_VMMCALL:
		return 3;
	}
	return 0;
}

static void skip(struct vmm *vmm, unsigned int bytes)
{
	struct kvm_vcpu_events events;
	struct kvm_regs regs;

	check(ioctl(vmm->vcpu_fd, KVM_GET_REGS, &regs), "KVM_GET_REGS");
	regs.rip += bytes;
	check(ioctl(vmm->vcpu_fd, KVM_SET_REGS, &regs), "KVM_SET_REGS");
	/* The shadow of STI ends after one instruction: a HLT that kept it would wait for ever. */
	check(ioctl(vmm->vcpu_fd, KVM_GET_VCPU_EVENTS, &events), "KVM_GET_VCPU_EVENTS");
	events.flags = KVM_VCPUEVENT_VALID_SHADOW;
	events.interrupt.shadow = 0;
	check(ioctl(vmm->vcpu_fd, KVM_SET_VCPU_EVENTS, &events), "KVM_SET_VCPU_EVENTS");
	vmm->skipped++;
}

static void lend(struct vmm *vmm, uint64_t exit_code)
{
	struct kvm_regs regs;
	uint64_t gpa, end;

	check(ioctl(vmm->vcpu_fd, KVM_GET_REGS, &regs), "KVM_GET_REGS");
	/* Linux begins at the addresses that the first page tables give it. */
	gpa = regs.rip < MEM_BYTES ? regs.rip : regs.rip - KERNEL_MAP;
	if (gpa >= MEM_BYTES)
		give_up("exit 0x%lx at rip 0x%llx: KVM cannot read the instruction, which is not in the "
			"kernel's code", exit_code, regs.rip);
	end = (gpa + INSTRUCTION_MAX_BYTES + PAGE - 1) & ~(PAGE - 1);
	vmm->lent_gpa = gpa & ~(PAGE - 1);
	vmm->lent_bytes = end - vmm->lent_gpa;
	convert(vmm, vmm->lent_gpa, vmm->lent_bytes, false);
	vmm->lent++;
}

void end_lending(struct vmm *vmm)
{
	if (vmm->lent_bytes)
		convert(vmm, vmm->lent_gpa, vmm->lent_bytes, true);
	vmm->lent_bytes = 0;
}

/* KVM's reason for the exit comes after the bytes that KVM has read, if there are any. */
static uint64_t exit_code(const struct kvm_run *run)
{
	const uint64_t has_bytes = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;

	return run->internal.data[run->emulation_failure.flags & has_bytes ? 3 : 1];
}

void handle_unread(struct vmm *vmm)
{
	uint64_t code = exit_code(vmm->run);
	unsigned int bytes = bytes_to_skip(code);

	if (vmm->run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION || !vmm->kvm_reads ||
	    (bytes && vmm->no_skips))
		give_up("KVM: internal error %u after exit 0x%lx", vmm->run->internal.suberror, code);
	if (bytes)
		skip(vmm, bytes);
	else
		lend(vmm, code);
}
