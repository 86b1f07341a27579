// SPDX-License-Identifier: GPL-2.0
/* The only vCPU: how it starts, and why it stops. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "private_abi.h"
#include "vmm.h"

#define UART_PORT		0x3f8
#define UART_PORTS		8
#define CMOS_PORT		0x71
#define KEYBOARD_PORT		0x64
#define KEYBOARD_RESET		0xfe

#define APIC_BASE_X2APIC	(1ull << 10)

#define LEAF_1_ECX_TSC_DEADLINE	(1u << 24)
#define LEAF_1_ECX_HYPERVISOR	(1u << 31)
#define AMD_LEAF_1		0x80000001
#define EDX_GLOBAL_PAGES	(1u << 13)
#define KVM_LEAF		0x40000001

/*
 * KVM cannot write to private memory, where a clock, stolen time and more would be. Global pages
 * make Linux access CR4 in any process, by whose page tables KVM cannot read instructions.
 */
static void set_linux_cpuid(int vcpu_fd, bool global_pages)
{
	struct kvm_cpuid2 *cpuid = supported_cpuid();

	for (unsigned int i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (entry->function == 1)
			entry->ecx |= LEAF_1_ECX_TSC_DEADLINE | LEAF_1_ECX_HYPERVISOR;
		if ((entry->function == 1 || entry->function == AMD_LEAF_1) && !global_pages)
			entry->edx &= ~EDX_GLOBAL_PAGES;
		if (entry->function == KVM_LEAF)
			entry->eax = 1 << KVM_FEATURE_NOP_IO_DELAY | 1 << KVM_FEATURE_HC_MAP_GPA_RANGE;
	}
	check(ioctl(vcpu_fd, KVM_SET_CPUID2, cpuid), "KVM_SET_CPUID2");
	free(cpuid);
}

/* The APIC's registers are MSRs from the start. If they were MMIO, KVM would read instructions. */
static void use_x2apic(int vcpu_fd)
{
	struct kvm_sregs sregs;

	check(ioctl(vcpu_fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.apic_base |= APIC_BASE_X2APIC;
	check(ioctl(vcpu_fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
}

void create_linux_vcpu(struct vmm *vmm)
{
	vmm->vcpu_fd = create_vcpu_fd(vmm->vm_fd, 0, &vmm->run);
	set_linux_cpuid(vmm->vcpu_fd, !vmm->kvm_reads);
	set_long_mode(vmm->vcpu_fd, TABLES_GPA);
	use_x2apic(vmm->vcpu_fd);
}

static uint32_t read_port(struct vmm *vmm, uint16_t port)
{
	if (port >= UART_PORT && port < UART_PORT + UART_PORTS)
		return uart_read(&vmm->uart, port - UART_PORT);
	/* Linux polls for a bit of these two to be clear. */
	if (port == CMOS_PORT || port == KEYBOARD_PORT)
		return 0;
	return UINT32_MAX;
}

/* Returns whether the guest goes on. */
static bool write_port(struct vmm *vmm, uint16_t port, uint32_t value)
{
	if (port >= UART_PORT && port < UART_PORT + UART_PORTS)
		uart_write(&vmm->uart, port - UART_PORT, value);
	if (port == ANSWER_PORT)
		answer_page(vmm, value);
	return port != KEYBOARD_PORT || value != KEYBOARD_RESET;
}

static bool handle_io(struct vmm *vmm)
{
	struct kvm_run *run = vmm->run;
	uint8_t *bytes = (uint8_t *)run + run->io.data_offset;
	uint32_t value = 0;

	if (run->io.count != 1)
		give_up("string I/O at port 0x%x", run->io.port);
	if (run->io.direction == KVM_EXIT_IO_IN) {
		value = read_port(vmm, run->io.port);
		memcpy(bytes, &value, run->io.size);
		return true;
	}
	memcpy(&value, bytes, run->io.size);
	return write_port(vmm, run->io.port, value);
}

static void give_up_exit(struct vmm *vmm, int err)
{
	const struct kvm_run *run = vmm->run;
	struct kvm_regs regs = { 0 };

	ioctl(vmm->vcpu_fd, KVM_GET_REGS, &regs);
	if (err && run->exit_reason == KVM_EXIT_MEMORY_FAULT)
		give_up("KVM_RUN: %s: memory fault at gpa 0x%llx, rip 0x%llx", strerror(err),
			run->memory_fault.gpa, regs.rip);
	if (err)
		give_up("KVM_RUN: %s, rip 0x%llx", strerror(err), regs.rip);
	if (run->exit_reason == KVM_EXIT_SHUTDOWN)
		give_up("Linux ended by a triple fault");
	if (run->exit_reason == KVM_EXIT_MMIO)
		give_up("Linux touched gpa 0x%llx, where no memory is, rip 0x%llx", run->mmio.phys_addr,
			regs.rip);
	give_up("exit %u, rip 0x%llx", run->exit_reason, regs.rip);
}

/* Returns whether the guest goes on. */
static bool run_once(struct vmm *vmm)
{
	int ret = ioctl(vmm->vcpu_fd, KVM_RUN, NULL);
	int err = ret ? errno : 0;

	if (err == EINTR || err == EAGAIN)
		return true;
	end_lending(vmm);
	if (err)
		give_up_exit(vmm, err);
	switch (vmm->run->exit_reason) {
	case KVM_EXIT_IO:
		return handle_io(vmm);
	case KVM_EXIT_HYPERCALL:
		handle_map_gpa_range(vmm);
		return true;
	case KVM_EXIT_INTERNAL_ERROR:
		handle_unread(vmm);
		return true;
	}
	give_up_exit(vmm, 0);
	return false;
}

void run_linux(struct vmm *vmm, uint64_t entry_gpa)
{
	const struct kvm_regs regs = { .rip = entry_gpa, .rsi = BOOT_PARAMS_GPA, .rflags = 2 };

	check(ioctl(vmm->vcpu_fd, KVM_SET_REGS, &regs), "KVM_SET_REGS");
	while (run_once(vmm))
		;
}
