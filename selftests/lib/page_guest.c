// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvmstat.h"
#include "page_guest.h"
#include "tap.h"

struct page_vm vm;

/* Flat protected mode. The two accesses are of the same length, SKIPPED, to be stepped over. */
#define SKIPPED		2
extern const char guest_code[], guest_end[];
asm(".pushsection .rodata\n"
    ".globl guest_read, guest_write, guest_hypercall\n"
    ".code32\n"
    "guest_code:\n"
    "guest_read:\n"
    "	lodsl\n"
    "	movl (%eax), %eax\n"
    "	stosl\n"
    "	loop guest_read\n"
    "	outb %al, $0x10\n"
    "guest_write:\n"
    "	lodsl\n"
    "	movl %eax, %ebx\n"
    "	orl %edx, %ebx\n"
    "	movl %ebx, (%eax)\n"
    "	loop guest_write\n"
    "	outb %al, $0x10\n"
    "guest_hypercall:\n"		/* KVM replaces it on Intel's processors */
    "	vmmcall\n"
    "	outb %al, $0x10\n"
    "guest_end:\n"
    ".code64\n"
    ".popsection\n");

uint64_t page_gpa(uint64_t page)
{
	return AREA_GPA + page * PAGE;
}

void set_slot(uint32_t slot, uint64_t gpa, uint64_t size, const void *memory, int gmem_fd)
{
	set_memslot(vm.fd, slot, gpa, size, memory, gmem_fd);
}

static void create_vcpu(int id, uint8_t *control)
{
	struct vcpu *vcpu = &vm.vcpus[id];

	vcpu->fd = create_vcpu_fd(vm.fd, id, &vcpu->run);
	vcpu->stats_fd = open_stats(vcpu->fd);
	vcpu->lists_gpa = LISTS_GPA + id * 2 * LIST_WORDS * sizeof(uint32_t);
	vcpu->list = (uint32_t *)(control + vcpu->lists_gpa - CODE_GPA);
	vcpu->found = vcpu->list + LIST_WORDS;
	vcpu->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	set_protected_mode(vcpu->fd);
}

static void create_vm_of_type(int vcpus, unsigned long type)
{
	uint8_t *control = map_memory(CODE_GPA, LISTS_END - CODE_GPA);

	vm.fd = create_vm_fd(type);
	vm.stats_fd = open_stats(vm.fd);
	vm.vcpus_created = vcpus;
	set_slot(CONTROL_SLOT, CODE_GPA, LISTS_END - CODE_GPA, control, -1);
	memcpy(control, guest_code, guest_end - guest_code);
	for (int id = 0; id < vcpus; id++)
		create_vcpu(id, control);
}

void create_vm(int vcpus)
{
	create_vm_of_type(vcpus, KVM_X86_SW_PROTECTED_VM);
}

void create_plain_vm(int vcpus)
{
	create_vm_of_type(vcpus, KVM_X86_DEFAULT_VM);
}

void destroy_vm(void)
{
	for (int id = 0; id < vm.vcpus_created; id++) {
		close(vm.vcpus[id].stats_fd);
		destroy_vcpu(vm.vcpus[id].fd, vm.vcpus[id].run);
	}
	close(vm.stats_fd);
	close(vm.fd);
	memset(&vm, 0, sizeof(vm));
}

/* Returns whether there is such a statistic, of the VM or of its vCPUs. */
static bool sum_stats(const char *name, unsigned long long *sum)
{
	uint64_t value;
	bool found = read_stat(vm.stats_fd, name, &value);

	*sum = found ? value : 0;
	for (int id = 0; id < vm.vcpus_created && !found; id++) {
		if (!read_stat(vm.vcpus[id].stats_fd, name, &value))
			return false;
		*sum += value;
	}
	return found || vm.vcpus_created;
}

bool has_vm_stat(const char *name)
{
	unsigned long long unused;

	return sum_stats(name, &unused);
}

unsigned long long vm_stat(const char *name)
{
	unsigned long long sum;

	if (!sum_stats(name, &sum))
		errx(1, "KVM has no statistic %s", name);
	return sum;
}

void start_guest(struct vcpu *vcpu, const char *entry, unsigned int count, uint32_t tag)
{
	vcpu->run->s.regs.regs = (struct kvm_regs) {
		.rip = CODE_GPA + (entry - guest_code),
		.rsi = vcpu->lists_gpa,
		.rdi = vcpu->lists_gpa + LIST_WORDS * sizeof(uint32_t),
		.rcx = count,
		.rdx = tag,
		.rflags = 2,
	};
	vcpu->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
}

enum guest_exit run_guest(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	int ret;

	do
		ret = ioctl(vcpu->fd, KVM_RUN, 0);
	while (ret && errno == EINTR);

	if (!ret && run->exit_reason == KVM_EXIT_IO && run->io.port == EXIT_PORT)
		return GUEST_DONE;
	if (!ret && run->exit_reason == KVM_EXIT_HYPERCALL)
		return GUEST_CALLS;
	if (ret && errno == EFAULT && run->exit_reason == KVM_EXIT_MEMORY_FAULT)
		return GUEST_FAULTED;
	errx(1, "unexpected exit %u of the vCPU", run->exit_reason);
}

void run_list(struct vcpu *vcpu, const char *entry, unsigned int count, uint32_t tag)
{
	struct kvm_regs *regs = &vcpu->run->s.regs.regs;

	start_guest(vcpu, entry, count, tag);
	while (run_guest(vcpu) == GUEST_FAULTED) {
		if (vcpu->run->memory_fault.flags != KVM_MEMORY_EXIT_FLAG_PRIVATE ||
		    vcpu->run->memory_fault.gpa != vcpu->list[count - regs->rcx])
			errx(1, "memory fault at 0x%llx, flags 0x%llx",
				 vcpu->run->memory_fault.gpa, vcpu->run->memory_fault.flags);
		regs->rax = ABSENT;
		regs->rip += SKIPPED;
		vcpu->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	}
}

unsigned long run_list_again(struct vcpu *vcpu, const char *entry, unsigned int count, uint32_t tag)
{
	unsigned long again = 0;

	start_guest(vcpu, entry, count, tag);
	while (run_guest(vcpu) == GUEST_FAULTED)
		again++;
	return again;
}

void warm_up(struct vcpu *vcpu)
{
	for (unsigned int i = 0; i < LIST_WORDS; i++)
		vcpu->list[i] = CODE_GPA;
	run_list(vcpu, guest_read, LIST_WORDS, 0);
}

void write_shared_words(uint8_t *memory, uint64_t first, uint64_t pages)
{
	for (uint64_t page = 0; page < pages; page++)
		*(uint32_t *)(memory + page * PAGE) = page_gpa(first + page) | SHARED_TAG;
}

bool is_word_or_absent(uint32_t gpa, uint32_t word, bool private)
{
	return word == (private ? ABSENT : (gpa | SHARED_TAG));
}

bool is_own_word(uint32_t gpa, uint32_t word, bool private)
{
	return word == (gpa | (private ? PRIVATE_TAG : SHARED_TAG));
}

bool list_is_right(struct vcpu *vcpu, unsigned int count, page_check is_right)
{
	bool right = true;

	run_list(vcpu, guest_read, count, 0);
	for (unsigned int i = 0; i < count; i++) {
		uint64_t page = (vcpu->list[i] - AREA_GPA) / PAGE;

		if (is_right(vcpu->list[i], vcpu->found[i], vm.private[page]))
			continue;
		right = complain("page %lu should be %s, the guest finds 0x%x", page,
				 vm.private[page] ? "private" : "shared", vcpu->found[i]);
	}
	return right;
}

bool pages_are_right(struct vcpu *vcpu, uint64_t first, uint64_t pages, page_check is_right)
{
	bool right = true;

	for (uint64_t done = 0; done < pages;) {
		unsigned int count = 0;

		while (count < LIST_WORDS && done < pages)
			vcpu->list[count++] = page_gpa(first + done++);
		right &= list_is_right(vcpu, count, is_right);
	}
	return right;
}

int try_set(int fd, uint64_t first, uint64_t end, bool private)
{
	return try_set_attributes(fd, page_gpa(first), (end - first) * PAGE, private ? PRIVATE : 0);
}

void set(uint64_t first, uint64_t end, bool private)
{
	if (try_set(vm.fd, first, end, private))
		err(1, "setting pages %lu to %lu %s", first, end, private ? "private" : "shared");
	memset(vm.private + first, private, end - first);
}
