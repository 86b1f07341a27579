// SPDX-License-Identifier: GPL-2.0
/*
 * private-linux [--spoil|--no-skips|--private-tables] KERNEL-DIRECTORY INITRAMFS
 *
 * Linux's console goes to stdout, a line of JSON to stderr. Status 0: Linux has reset the machine.
 * The options show that spoilt data is noticed, and what happens without the help of unread.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "json.h"
#include "kvmstat.h"
#include "touch.h"
#include "vmm.h"

/*
 * The machine has neither PCI nor an I/O APIC, and no other clock than the TSC. It ends by a reset that
 * Linux asks the keyboard controller for. The CPU that QEMU emulates does not tell KVM of XSETBV.
 */
#define COMMAND_LINE	"console=ttyS0 quiet panic=-1 reboot=k pci=off noapic noxsave " \
			"tsc=reliable tsc_early_khz=%u"

void give_up(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "private-linux: ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

static void end_with_usage(void)
{
	give_up("usage: private-linux [--spoil|--no-skips|--private-tables] KERNEL-DIRECTORY INITRAMFS");
}

static void read_option(struct vmm *vmm, const char *option)
{
	vmm->spoil = !strcmp(option, "--spoil");
	vmm->no_skips = !strcmp(option, "--no-skips");
	vmm->private_tables = !strcmp(option, "--private-tables");
	if (!vmm->spoil && !vmm->no_skips && !vmm->private_tables)
		end_with_usage();
}

static void create_vm(struct vmm *vmm)
{
	struct kvm_enable_cap hypercall = {
		.cap = KVM_CAP_EXIT_HYPERCALL,
		.args = { 1 << KVM_HC_MAP_GPA_RANGE },
	};
	/* Otherwise KVM tells the guest of an invalid opcode, too. */
	struct kvm_enable_cap unread = { .cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args = { 1 } };
	struct kvm_pit_config timer = { .flags = KVM_PIT_SPEAKER_DUMMY };

	vmm->vm_fd = create_protected_vm_fd();
	check(ioctl(vmm->vm_fd, KVM_ENABLE_CAP, &hypercall), "KVM_CAP_EXIT_HYPERCALL");
	check(ioctl(vmm->vm_fd, KVM_ENABLE_CAP, &unread), "KVM_CAP_EXIT_ON_EMULATION_FAILURE");
	check(ioctl(vmm->vm_fd, KVM_CREATE_IRQCHIP), "KVM_CREATE_IRQCHIP");
	check(ioctl(vmm->vm_fd, KVM_CREATE_PIT2, &timer), "KVM_CREATE_PIT2");
	vmm->uart.vm_fd = vmm->vm_fd;
}

/* Memory has no gap where a PC has video memory and ROMs: nothing that Linux does there is MMIO. */
static void create_memory(struct vmm *vmm)
{
	vmm->gmem_fd = try_create_gmem(vmm->vm_fd, MEM_BYTES,
				       GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED);
	if (vmm->gmem_fd < 0)
		give_up("KVM_CREATE_GUEST_MEMFD: %s; load kvm with gmem_in_place_conversion=1",
			strerror(-vmm->gmem_fd));
	vmm->memory = map_file(vmm->gmem_fd, MEM_BYTES, MAP_SHARED);
	set_memslot(vmm->vm_fd, 0, 0, MEM_BYTES, vmm->memory, vmm->gmem_fd);
}

/* Returns the gpa of the entry point. All memory is private then, but for what KVM has to read. */
static uint64_t set_up_linux(struct vmm *vmm, const char *kernel, const char *initramfs)
{
	unsigned int tsc_khz = check(ioctl(vmm->vcpu_fd, KVM_GET_TSC_KHZ), "KVM_GET_TSC_KHZ");
	uint64_t entry_gpa;
	char *command_line;

	check(asprintf(&command_line, COMMAND_LINE, tsc_khz), "asprintf");
	entry_gpa = load_linux(vmm, kernel, initramfs, command_line);
	free(command_line);
	convert(vmm, 0, MEM_BYTES, true);
	if (vmm->kvm_reads && !vmm->private_tables)
		share_page_tables(vmm, kernel);
	return entry_gpa;
}

static void report(struct vmm *vmm)
{
	struct json json = { .out = stderr };

	json_object(&json, NULL);
	json_u64(&json, "pages", MEM_BYTES / PAGE);
	json_u64(&json, "reachable_at_end", count_reachable(vmm, 0, MEM_BYTES));
	json_bool(&json, "kvm_reads", vmm->kvm_reads);
	json_u64(&json, "table_pages", vmm->table_pages);
	json_u64(&json, "skipped", vmm->skipped);
	json_u64(&json, "lent", vmm->lent);
	json_u64(&json, "to_shared", vmm->to_shared);
	json_u64(&json, "to_private", vmm->to_private);
	json_u64(&json, "answered_pages", vmm->answered_pages);
	json_u64(&json, "wrong_pages", vmm->wrong_pages);
	json_u64(&json, "reachable_pages", vmm->reachable_pages);
	json_u64(&json, "kvm_requests_shared", kvm_stat(vmm->vm_fd, "memattr_requests_shared"));
	json_u64(&json, "kvm_requests_private", kvm_stat(vmm->vm_fd, "memattr_requests_private"));
	json_u64(&json, "kvm_refused", kvm_stat(vmm->vm_fd, "memattr_refused"));
	json_object_end(&json);
	json_newline(&json);
}

int main(int argc, char **argv)
{
	struct vmm vmm = { .kvm_reads = kvm_reads_instructions() };
	uint64_t entry_gpa;

	if (argc == 4)
		read_option(&vmm, argv[1]);
	else if (argc != 3)
		end_with_usage();
	catch_bus_errors();
	create_vm(&vmm);
	create_memory(&vmm);
	create_linux_vcpu(&vmm);
	entry_gpa = set_up_linux(&vmm, argv[argc - 2], argv[argc - 1]);
	run_linux(&vmm, entry_gpa);
	fflush(stdout);
	report(&vmm);
	return 0;
}
