// SPDX-License-Identifier: GPL-2.0
/* Makes the software-protected VM: memory slots, page tables, vCPUs. */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "replay.h"
#include "testvm.h"
#include "vmm.h"

extern const uint8_t guest_image[], guest_image_end[];

enum { CONTROL_SLOT, WORK_SLOT };

#define HUGE_SIZE		(2ull << 20)
#define GIB			(1ull << 30)
#define TABLE_ENTRIES		512

/* Page table entries, as the processor manuals name their bits. */
#define PTE_PRESENT		(1ull << 0)
#define PTE_WRITABLE		(1ull << 1)
#define PTE_HUGE		(1ull << 7)

#define IN_PLACE_PARAMETER "/sys/module/kvm/parameters/gmem_in_place_conversion"
#define IN_TEST_VM "; run it in the test VM: selftests/vm/run -- build/bin/memattr-guest ..."

/* An initial conversion refused with -EAGAIN is tried again this often, 10 ms apart. */
#define INITIAL_TRIES		1000
#define INITIAL_WAIT_NS		10000000

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

/* PML4, PDPT, one page directory for the first GiB (control) and one per GiB of work memory. */
static uint64_t tables_bytes(const struct options *opt)
{
	return (3 + round_up(opt->mem_bytes, GIB) / GIB) * GUEST_PAGE_SIZE;
}

static uint64_t page_states_gpa(const struct options *opt)
{
	return TABLES_GPA + tables_bytes(opt);
}

static void *control_at(const struct vm *vm, uint64_t gpa)
{
	return vm->control + (gpa - CONTROL_GPA);
}

/* What the capability's bits are; on an fd that is not KVM's there are none. */
static unsigned int check_extension(int fd, int cap)
{
	int value = ioctl(fd, KVM_CHECK_EXTENSION, cap);

	return value < 0 ? 0 : value;
}

static int create_vm(struct vm *vm)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return vm_fail(vm, EXIT_ENVIRONMENT, "/dev/kvm: %s%s", strerror(errno),
			       errno == EACCES ? "; run as root or join the group kvm" :
			       IN_TEST_VM);
	close(fd);
	if (!(check_extension(kvm_fd(), KVM_CAP_VM_TYPES) & 1 << KVM_X86_SW_PROTECTED_VM))
		return vm_fail(vm, EXIT_ENVIRONMENT,
			       "KVM offers no software-protected VMs: that takes Linux 6.8 or "
			       "later with CONFIG_KVM_SW_PROTECTED_VM and nested paging (module "
			       "parameter npt or ept, and tdp_mmu)" IN_TEST_VM);
	vm->vm_fd = create_protected_vm_fd();
	return 0;
}

/* One module parameter decides for all VMs whether conversions happen in place. */
static int require_backing(struct vm *vm)
{
	bool two = check_extension(vm->vm_fd, KVM_CAP_MEMORY_ATTRIBUTES) & PRIVATE;
	bool one = check_extension(vm->vm_fd, KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES) & PRIVATE;

	if (vm->opt->in_place ? one : two)
		return 0;
	if (one)
		return vm_fail(vm, EXIT_ENVIRONMENT,
			       "kvm was loaded with gmem_in_place_conversion=1, so that VMs have one "
			       "backing; use --in-place, or load kvm without this parameter");
	if (!vm->opt->in_place)
		return vm_fail(vm, EXIT_ENVIRONMENT,
			       "this kernel's KVM lacks KVM_CAP_MEMORY_ATTRIBUTES with "
			       "KVM_MEMORY_ATTRIBUTE_PRIVATE" IN_TEST_VM);
	if (access(IN_PLACE_PARAMETER, F_OK))
		return vm_fail(vm, EXIT_ENVIRONMENT,
			       "this kernel's KVM does not convert in place: it lacks "
			       "KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES" IN_TEST_VM);
	return vm_fail(vm, EXIT_ENVIRONMENT,
		       "conversion in place is off; load kvm with gmem_in_place_conversion=1, in the "
		       "test VM: selftests/vm/run --append kvm.gmem_in_place_conversion=1 -- "
		       "build/bin/memattr-guest --in-place ...");
}

static int require_caps(struct vm *vm)
{
	static const struct { int cap; int mask; const char *name; } caps[] = {
		{ KVM_CAP_USER_MEMORY2, ~0, "KVM_CAP_USER_MEMORY2" },
		{ KVM_CAP_GUEST_MEMFD, ~0, "KVM_CAP_GUEST_MEMFD" },
		{ KVM_CAP_EXIT_HYPERCALL, 1 << KVM_HC_MAP_GPA_RANGE,
		  "KVM_CAP_EXIT_HYPERCALL with KVM_HC_MAP_GPA_RANGE" },
	};
	struct kvm_enable_cap hypercall = {
		.cap = KVM_CAP_EXIT_HYPERCALL,
		.args = { 1 << KVM_HC_MAP_GPA_RANGE },
	};
	unsigned int vcpus_max = check_extension(vm->vm_fd, KVM_CAP_MAX_VCPUS);

	for (size_t i = 0; i < ARRAY_SIZE(caps); i++)
		if (!(check_extension(vm->vm_fd, caps[i].cap) & caps[i].mask))
			return vm_fail(vm, EXIT_ENVIRONMENT,
				       "this kernel's KVM lacks %s" IN_TEST_VM, caps[i].name);
	if (vm->opt->vcpus > vcpus_max)
		return vm_fail(vm, EXIT_ENVIRONMENT, "KVM allows %u vCPUs here, not %u",
			       vcpus_max, vm->opt->vcpus);
	if (ioctl(vm->vm_fd, KVM_ENABLE_CAP, &hypercall))
		return vm_fail(vm, EXIT_ENVIRONMENT, "KVM_ENABLE_CAP KVM_CAP_EXIT_HYPERCALL: %s",
			       strerror(errno));
	return 0;
}

/* Shared pages are this process's memory, private ones are in the guest_memfd. */
static int create_two_backings(struct vm *vm)
{
	const struct options *opt = vm->opt;

	vm->work = map_memory(WORK_GPA, opt->mem_bytes);
	if (opt->thp != THP_SYSTEM &&
	    madvise(vm->work, opt->mem_bytes,
		    opt->thp == THP_ON ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		return vm_fail(vm, EXIT_ENVIRONMENT,
			       "madvise: %s; --thp and --no-thp need CONFIG_TRANSPARENT_HUGEPAGE",
			       strerror(errno));
	vm->gmem_fd = create_gmem(vm->vm_fd, opt->mem_bytes);
	return 0;
}

static bool starts_shared(const struct vm *vm)
{
	if (vm->opt->scenario == REPLAY)
		return replay_starts_shared(vm->replay);
	return vm->opt->scenario == BOOT_ACCEPT;
}

/* All pages are in the guest_memfd. This process can use its mapping of those that are shared. */
static void create_one_backing(struct vm *vm)
{
	const struct options *opt = vm->opt;
	uint64_t flags = GUEST_MEMFD_FLAG_MMAP;

	if (starts_shared(vm))
		flags |= GUEST_MEMFD_FLAG_INIT_SHARED;
	vm->gmem_fd = try_create_gmem(vm->vm_fd, opt->mem_bytes, flags);
	if (vm->gmem_fd < 0) {
		errno = -vm->gmem_fd;
		failed("KVM_CREATE_GUEST_MEMFD");
	}
	vm->work = map_file(vm->gmem_fd, opt->mem_bytes, MAP_SHARED);
	report_bus_errors();
}

static int create_memory(struct vm *vm)
{
	const struct options *opt = vm->opt;
	uint64_t states_bytes = opt->mem_bytes / GUEST_PAGE_SIZE * sizeof(struct page_state);

	vm->control_bytes = round_up(page_states_gpa(opt) - CONTROL_GPA + states_bytes,
				     GUEST_PAGE_SIZE);
	vm->control = map_memory(CONTROL_GPA, vm->control_bytes);
	/* A huge page would be larger than what is used, which the summary's memory would show. */
	madvise(vm->control, vm->control_bytes, MADV_NOHUGEPAGE);
	if (opt->in_place)
		create_one_backing(vm);
	else if (create_two_backings(vm))
		return -1;
	set_memslot(vm->vm_fd, CONTROL_SLOT, CONTROL_GPA, vm->control_bytes, vm->control, -1);
	set_memslot(vm->vm_fd, WORK_SLOT, WORK_GPA, opt->mem_bytes, vm->work, vm->gmem_fd);
	return 0;
}

/* Identity mapping of the first GiB and of the work memory, in 2 MiB pages. */
static void fill_page_tables(struct vm *vm)
{
	uint64_t *pml4 = control_at(vm, TABLES_GPA);
	uint64_t pdpt_gpa = TABLES_GPA + GUEST_PAGE_SIZE;
	uint64_t *pdpt = control_at(vm, pdpt_gpa);
	uint64_t table_gpa = pdpt_gpa;
	uint64_t gib = 0;

	pml4[0] = pdpt_gpa | PTE_PRESENT | PTE_WRITABLE;
	while (gib * GIB < WORK_GPA + vm->opt->mem_bytes) {
		uint64_t *table;

		table_gpa += GUEST_PAGE_SIZE;
		table = control_at(vm, table_gpa);
		pdpt[gib] = table_gpa | PTE_PRESENT | PTE_WRITABLE;
		for (unsigned int i = 0; i < TABLE_ENTRIES; i++)
			table[i] = (gib * GIB + i * HUGE_SIZE) |
				   PTE_PRESENT | PTE_WRITABLE | PTE_HUGE;
		gib = gib ? gib + 1 : WORK_GPA / GIB;
	}
}

static int convert_initially(struct vm *vm, uint64_t gpa, uint64_t bytes, bool private)
{
	int tries = 0;
	int err;

	while ((err = try_set_private(vm, gpa, bytes, private)) == EAGAIN && ++tries < INITIAL_TRIES)
		vm_sleep_until(vm, now_ns() + INITIAL_WAIT_NS);
	if (err)
		return vm_fail(vm, EXIT_STUCK,
			       "KVM does not let memory become %s at the start: %s; "
			       "is there a policy? memattr-policy list",
			       private ? "private" : "shared", strerror(err));
	return 0;
}

int vm_set_initial(struct vm *vm, uint64_t first, uint64_t pages, bool private)
{
	struct page_state *states = control_at(vm, page_states_gpa(vm->opt));
	/* Nothing is private yet, but for a guest_memfd that has no flag INIT_SHARED. */
	bool created_private = vm->opt->in_place && !starts_shared(vm);

	if (private != created_private &&
	    convert_initially(vm, WORK_GPA + first * GUEST_PAGE_SIZE, pages * GUEST_PAGE_SIZE, private))
		return -1;
	for (uint64_t page = first; page < first + pages; page++)
		states[page].private = private;
	return 0;
}

/*
 * Memory has been accepted already, as VMMs set it up for a guest that runs, or nothing has, or it
 * is as the recording tells.
 */
static int set_up_memory(struct vm *vm)
{
	if (vm->opt->scenario == REPLAY)
		return replay_set_up(vm);
	if (vm->opt->scenario == BOOT_ACCEPT)
		return 0;
	return vm_set_initial(vm, 0, vm->opt->mem_bytes / GUEST_PAGE_SIZE, true);
}

static bool cpu_has_vmmcall(void)
{
	const unsigned int hygon_ebx = 0x6f677948;	/* "Hygo" of "HygonGenuine" */
	unsigned int eax, ebx, ecx, edx;

	if (!__get_cpuid(0, &eax, &ebx, &ecx, &edx))
		return false;
	return ebx == signature_AMD_ebx || ebx == hygon_ebx;
}

static void fill_guest_page(struct vcpu *vcpu)
{
	const struct options *opt = vcpu->vm->opt;
	struct guest_vcpu *guest = vcpu->guest;

	*guest = (struct guest_vcpu) {
		.id = vcpu->id,
		.vcpus = opt->vcpus,
		.scenario = opt->scenario,
		.keep = opt->keep,
		.in_place = opt->in_place,
		.use_vmmcall = cpu_has_vmmcall(),
		.seed = opt->seed,
		.work_pages = opt->mem_bytes / GUEST_PAGE_SIZE,
		.chunk_pages = opt->chunk_bytes / GUEST_PAGE_SIZE,
		.touch_every = opt->touch_every,
		.conversions = UINT64_MAX,
		.page_states_gpa = page_states_gpa(opt),
	};
	if (opt->count)
		guest->conversions = opt->count / opt->vcpus +
				     (vcpu->id < opt->count % opt->vcpus);
}

static void create_vcpu(struct vm *vm, unsigned int id)
{
	/* As after a call: the ABI wants the stack 8 bytes off a 16 byte boundary. */
	const struct kvm_regs regs = {
		.rip = IMAGE_GPA,
		.rdi = VCPU_GPA + id * GUEST_PAGE_SIZE,
		.rsp = STACK_GPA + (id + 1) * STACK_SIZE - 8,
		.rflags = 2,
	};
	struct vcpu *vcpu = &vm->vcpus[id];

	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->guest = control_at(vm, VCPU_GPA + id * GUEST_PAGE_SIZE);
	vcpu->fd = create_vcpu_fd(vm->vm_fd, id, &vcpu->run);
	set_cpuid(vcpu->fd);
	set_long_mode(vcpu->fd, TABLES_GPA);
	check(ioctl(vcpu->fd, KVM_SET_REGS, &regs), "KVM_SET_REGS");
	fill_guest_page(vcpu);
}

int vm_create(struct vm *vm, const struct options *opt)
{
	pthread_condattr_t monotonic;

	vm->opt = opt;
	pthread_mutex_init(&vm->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&vm->changed, &monotonic);
	vm->ended_fd = eventfd(0, EFD_CLOEXEC);
	if (vm->ended_fd < 0)
		return vm_fail(vm, EXIT_STUCK, "eventfd: %s", strerror(errno));

	if (create_vm(vm) || require_backing(vm) || require_caps(vm) || create_memory(vm))
		return -1;
	memcpy(control_at(vm, IMAGE_GPA), guest_image, guest_image_end - guest_image);
	fill_page_tables(vm);
	if (set_up_memory(vm))
		return -1;
	for (unsigned int id = 0; id < opt->vcpus; id++)
		create_vcpu(vm, id);
	return 0;
}

/* All vCPUs start together, so that the run's time means something. */
int vm_start(struct vm *vm)
{
	for (unsigned int id = 0; id < vm->opt->vcpus; id++) {
		struct vcpu *vcpu = &vm->vcpus[id];

		vm->vcpus_alive++;
		if (pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu)) {
			vm->vcpus_alive--;
			return vm_fail(vm, EXIT_STUCK, "no thread for vCPU %u", id);
		}
	}
	pthread_mutex_lock(&vm->lock);
	vm->start_ns = now_ns();
	vm->started = true;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
	return vm->opt->scenario == REPLAY ? replay_start(vm) : 0;
}
