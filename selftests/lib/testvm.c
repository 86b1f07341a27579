// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "testvm.h"

#define COMPLAINTS	20		/* at most, a broken kernel is wrong everywhere */

struct test_vm vm;
static int kvm_fd = -1;
static int tests, failures, complaints;

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

void bail_out(const char *fmt, ...)
{
	va_list args;

	printf("Bail out! ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf(": %s\n", strerror(errno));
	exit(1);
}

int check(int ret, const char *what)
{
	if (ret < 0)
		bail_out("%s", what);
	return ret;
}

void ok(bool good, const char *fmt, ...)
{
	va_list args;

	printf("%sok %d - ", good ? "" : "not ", ++tests);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	failures += !good;
}

bool complain(const char *fmt, ...)
{
	va_list args;

	if (complaints++ >= COMPLAINTS)
		return false;
	printf("# ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	return false;
}

uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 16;
}

uint64_t seed_random(uint64_t seed)
{
	uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15;

	next_random(&state);
	return state;
}

int finish_tests(void)
{
	printf("1..%d\n", tests);
	return failures != 0;
}

uint64_t page_gpa(uint64_t page)
{
	return AREA_GPA + page * PAGE;
}

uint8_t *map_memory(uint64_t gpa, uint64_t size)
{
	const uint64_t huge = BLOCK_PAGES * PAGE;
	uint8_t *memory = mmap(NULL, size + huge, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		bail_out("mmap");
	return memory + (gpa - (uintptr_t)memory) % huge;
}

void set_slot(uint32_t slot, uint64_t gpa, uint64_t size, const void *memory, int gmem_fd)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = slot,
		.flags = gmem_fd < 0 ? 0 : KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
		.guest_memfd = gmem_fd < 0 ? 0 : gmem_fd,
	};

	check(ioctl(vm.fd, KVM_SET_USER_MEMORY_REGION2, &region), "KVM_SET_USER_MEMORY_REGION2");
}

int create_gmem(uint64_t size)
{
	struct kvm_create_guest_memfd gmem = { .size = size };

	return check(ioctl(vm.fd, KVM_CREATE_GUEST_MEMFD, &gmem), "KVM_CREATE_GUEST_MEMFD");
}

int create_vm_fd(unsigned long type)
{
	if (kvm_fd < 0)
		kvm_fd = check(open("/dev/kvm", O_RDWR), "/dev/kvm");
	return check(ioctl(kvm_fd, KVM_CREATE_VM, type), "KVM_CREATE_VM");
}

static void create_vcpu(int id, uint8_t *control)
{
	const struct kvm_segment code = {
		.limit = 0xffffffff, .selector = 8, .type = 11,
		.present = 1, .s = 1, .db = 1, .g = 1,
	};
	const struct kvm_segment data = {
		.limit = 0xffffffff, .selector = 16, .type = 3,
		.present = 1, .s = 1, .db = 1, .g = 1,
	};
	struct vcpu *vcpu = &vm.vcpus[id];
	struct kvm_sregs sregs;
	int run_size = check(ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");

	vcpu->fd = check(ioctl(vm.fd, KVM_CREATE_VCPU, id), "KVM_CREATE_VCPU");
	vcpu->run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		bail_out("mmap of the vCPU");
	vcpu->lists_gpa = LISTS_GPA + id * 2 * LIST_WORDS * sizeof(uint32_t);
	vcpu->list = (uint32_t *)(control + vcpu->lists_gpa - CODE_GPA);
	vcpu->found = vcpu->list + LIST_WORDS;
	vcpu->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	check(ioctl(vcpu->fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = data;
	sregs.cr0 |= 1;			/* protected mode */
	check(ioctl(vcpu->fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
}

static void create_vm_of_type(int vcpus, unsigned long type)
{
	uint8_t *control = map_memory(CODE_GPA, LISTS_END - CODE_GPA);

	vm.fd = create_vm_fd(type);
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
	int run_size = check(ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");

	for (int id = 0; id < vm.vcpus_created; id++) {
		munmap(vm.vcpus[id].run, run_size);
		close(vm.vcpus[id].fd);
	}
	close(vm.fd);
	memset(&vm, 0, sizeof(vm));
}

unsigned long long vm_stat(const char *name)
{
	unsigned long long value;
	char path[100];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/%s", getpid(), vm.fd, name);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%llu", &value) != 1)
		bail_out("%s", path);
	fclose(file);
	return value;
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
	bail_out("unexpected exit %u of the vCPU", run->exit_reason);
}

void run_list(struct vcpu *vcpu, const char *entry, unsigned int count, uint32_t tag)
{
	struct kvm_regs *regs = &vcpu->run->s.regs.regs;

	start_guest(vcpu, entry, count, tag);
	while (run_guest(vcpu) == GUEST_FAULTED) {
		if (memory_fault(vcpu->run)->flags != KVM_MEMORY_EXIT_FLAG_PRIVATE ||
		    memory_fault(vcpu->run)->gpa != vcpu->list[count - regs->rcx])
			bail_out("memory fault at 0x%llx, flags 0x%llx",
				 memory_fault(vcpu->run)->gpa, memory_fault(vcpu->run)->flags);
		regs->rax = ABSENT;
		regs->rip += SKIPPED;
		vcpu->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	}
}

void write_shared_words(uint8_t *memory, uint64_t first, uint64_t pages)
{
	for (uint64_t page = 0; page < pages; page++)
		*(uint32_t *)(memory + page * PAGE) = page_gpa(first + page) | SHARED_TAG;
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
	struct kvm_memory_attributes args = {
		.address = page_gpa(first),
		.size = (end - first) * PAGE,
		.attributes = private ? PRIVATE : 0,
	};

	return ioctl(fd, KVM_SET_MEMORY_ATTRIBUTES, &args);
}

void set(uint64_t first, uint64_t end, bool private)
{
	if (try_set(vm.fd, first, end, private))
		bail_out("setting pages %lu to %lu %s", first, end, private ? "private" : "shared");
	memset(vm.private + first, private, end - first);
}
