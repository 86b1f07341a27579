// SPDX-License-Identifier: GPL-2.0
/*
 * A VM that has a known number of stage-2 faults and pre-faults.
 *
 * usage: prefault-vmm [-v VCPUS] [-t TOUCHED] [-m MAPPED] [-c CHUNK] [-s SHARED] [-r ROUNDS] [-n NAME] [-PHRWZ]
 *
 * Of each vCPU's private memory the first MAPPED pages are pre-faulted, CHUNK at a time, and then once more.
 * Its guest touches TOUCHED pages of it and SHARED pages of the shared memory. Before each further round the
 * private memory is dropped, so that all of it starts anew. With -P the SHARED pages are written to and
 * pre-faulted, too; with -W they are write-protected after that, by dirty logging; with -H they are one huge
 * page. With -Z they are pre-faulted, but nobody has written to them. With -R they are pre-faulted in a read-only
 * memslot, and the guest does not touch them.
 *
 * Says "ready" when the VM exists, and waits for a line. Then it runs, and prints what it did, and what KVM's
 * own statistics say of it, as JSON.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "json.h"
#include "kvmstat.h"
#include "testvm.h"

#define CODE_GPA	PAGE
/* Below 4 GiB, which is what the guest can address. Each vCPU has a stretch of its own of both. */
#define SHARED_GPA	(16ull << 20)
#define SHARED_STRIDE	(2ull << 20)
#define PRIVATE_GPA	(1ull << 30)
#define STRIDE		(64ull << 20)
#define MAX_VCPUS	8

enum { CODE_SLOT, SHARED_SLOT, PRIVATE_SLOT };

struct vcpu {
	pthread_t thread;
	int fd;
	struct kvm_run *run;
	unsigned int id;
	uint64_t calls, failed_calls, done_pages;
};

static struct {
	unsigned int vcpus;
	uint64_t touched, mapped, chunk, shared, rounds;
	bool pre_fault_shared, huge, protect, unwritten, read_only;
} opt = { .vcpus = 1, .touched = 64, .chunk = 64, .rounds = 1 };

static struct vcpu vcpus[MAX_VCPUS];
static pthread_barrier_t barrier;
static int vm_fd, gmem_fd;

/* Touches ecx pages from eax on. */
static const uint8_t code[] = {
	0xc6, 0x00, 0x01,		/* next: movb $1, (%eax) */
	0x05, 0x00, 0x10, 0x00, 0x00,	/* add $4096, %eax */
	0x49,				/* dec %ecx */
	0x75, 0xf5,			/* jnz next */
	0xf4,				/* hlt */
};

static void *shared_memory(uint64_t gpa, uint64_t size, bool huge, bool written)
{
	void *memory = map_memory(gpa, size);

	/* Else: one page, one fault. */
	madvise(memory, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	/* A pre-fault only reads: of memory never written to it would map the zero page, to fault again. */
	if (written)
		memset(memory, 1, size);
	return memory;
}

static void *shared;

static void set_shared_slot(uint32_t flags)
{
	const struct kvm_userspace_memory_region2 region = {
		.slot = SHARED_SLOT,
		.flags = flags,
		.guest_phys_addr = SHARED_GPA,
		.memory_size = opt.vcpus * SHARED_STRIDE,
		.userspace_addr = (uintptr_t)shared,
	};

	check(-try_set_region(vm_fd, &region), "KVM_SET_USER_MEMORY_REGION2");
}

static void touch(struct vcpu *vcpu, uint64_t gpa, uint64_t pages)
{
	const struct kvm_regs regs = { .rip = CODE_GPA, .rflags = 2, .rax = gpa, .rcx = pages };

	if (!pages)
		return;
	check(ioctl(vcpu->fd, KVM_SET_REGS, &regs), "KVM_SET_REGS");
	while (ioctl(vcpu->fd, KVM_RUN, NULL) && errno == EINTR)
		;
	if (vcpu->run->exit_reason != KVM_EXIT_HLT)
		errx(1, "vCPU %u: exit %u at %#llx", vcpu->id, vcpu->run->exit_reason,
		     (unsigned long long)gpa);
}

static void pre_fault(struct vcpu *vcpu, uint64_t gpa, uint64_t pages)
{
	while (pages) {
		uint64_t ask = pages < opt.chunk ? pages : opt.chunk;
		struct kvm_pre_fault_memory range = { .gpa = gpa, .size = ask * PAGE };
		int error = try_pre_fault(vcpu->fd, &range);
		uint64_t done;

		vcpu->calls++;
		vcpu->failed_calls += !!error;
		if (error == EINTR || error == EAGAIN)
			continue;
		check(-error, "KVM_PRE_FAULT_MEMORY");
		done = ask - range.size / PAGE;
		vcpu->done_pages += done;
		pages -= done;
		gpa += done * PAGE;
	}
}

static void *run(void *arg)
{
	struct vcpu *vcpu = arg;
	uint64_t private = PRIVATE_GPA + vcpu->id * STRIDE;

	for (uint64_t round = 0; round < opt.rounds; round++) {
		pthread_barrier_wait(&barrier);
		if (round && !vcpu->id)
			check(-try_punch(gmem_fd, 0, opt.vcpus * STRIDE), "fallocate");
		pthread_barrier_wait(&barrier);
		pre_fault(vcpu, private, opt.mapped);
		pre_fault(vcpu, private, opt.mapped);
		touch(vcpu, private, opt.touched);
		if (!round && opt.pre_fault_shared)
			pre_fault(vcpu, SHARED_GPA + vcpu->id * SHARED_STRIDE, opt.shared);
		if (!round && opt.protect)
			set_shared_slot(KVM_MEM_LOG_DIRTY_PAGES);
		if (!round && !opt.read_only)
			touch(vcpu, SHARED_GPA + vcpu->id * SHARED_STRIDE, opt.shared);
	}
	return NULL;
}

static void create_vm(void)
{
	const uint64_t shared_size = opt.vcpus * SHARED_STRIDE, private_size = opt.vcpus * STRIDE;
	void *page = shared_memory(CODE_GPA, PAGE, false, false);

	vm_fd = create_protected_vm_fd();
	gmem_fd = create_gmem(vm_fd, private_size);
	memcpy(page, code, sizeof(code));
	shared = shared_memory(SHARED_GPA, shared_size, opt.huge, opt.pre_fault_shared && !opt.unwritten);
	set_memslot(vm_fd, CODE_SLOT, CODE_GPA, PAGE, page, -1);
	set_shared_slot(opt.read_only ? KVM_MEM_READONLY : 0);
	set_memslot(vm_fd, PRIVATE_SLOT, PRIVATE_GPA, private_size,
		    shared_memory(PRIVATE_GPA, private_size, false, false), gmem_fd);
	set_attributes(vm_fd, PRIVATE_GPA, private_size, PRIVATE);
	for (unsigned int id = 0; id < opt.vcpus; id++) {
		vcpus[id].id = id;
		vcpus[id].fd = create_vcpu_fd(vm_fd, id, &vcpus[id].run);
		set_protected_mode(vcpus[id].fd);
	}
}

/* KVM's own statistic, of each vCPU and added up. */
static void report_stat(struct json *json, const char *name, const char *name_by_vcpu)
{
	uint64_t sum = 0;

	json_array(json, name_by_vcpu);
	for (unsigned int id = 0; id < opt.vcpus; id++) {
		uint64_t value = kvm_stat(vcpus[id].fd, name);

		json_u64(json, NULL, value);
		sum += value;
	}
	json_array_end(json);
	json_u64(json, name, sum);
}

static void report(void)
{
	const uint64_t faulted = opt.touched > opt.mapped ? opt.touched - opt.mapped : 0;
	const uint64_t new_shared = opt.pre_fault_shared ? opt.shared : 0;
	uint64_t calls = 0, failed_calls = 0, done = 0;
	struct json json = { .out = stdout };

	for (unsigned int id = 0; id < opt.vcpus; id++) {
		calls += vcpus[id].calls;
		failed_calls += vcpus[id].failed_calls;
		done += vcpus[id].done_pages;
	}
	json_object(&json, NULL);
	json_u64(&json, "pid", getpid());
	report_stat(&json, "pf_taken", "pf_taken_by_vcpu");
	report_stat(&json, "pf_fixed", "pf_fixed_by_vcpu");
	report_stat(&json, "pf_spurious", "pf_spurious_by_vcpu");
	json_u64(&json, "private_faults", opt.vcpus * opt.rounds * faulted);
	json_u64(&json, "calls", calls);
	json_u64(&json, "failed_calls", failed_calls);
	json_u64(&json, "done_pages", done);
	json_u64(&json, "new_pages", opt.vcpus * (opt.rounds * opt.mapped + new_shared));
	json_object_end(&json);
	json_newline(&json);
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "v:t:m:c:s:r:n:PHRWZ")) != -1) {
		switch (option) {
		case 'v': opt.vcpus = atoi(optarg); break;
		case 't': opt.touched = atoll(optarg); break;
		case 'm': opt.mapped = atoll(optarg); break;
		case 'c': opt.chunk = atoll(optarg); break;
		case 's': opt.shared = atoll(optarg); break;
		case 'r': opt.rounds = atoll(optarg); break;
		case 'P': opt.pre_fault_shared = true; break;
		case 'H': opt.huge = true; break;
		case 'R': opt.pre_fault_shared = opt.read_only = true; break;
		case 'W': opt.protect = true; break;
		case 'Z': opt.pre_fault_shared = opt.unwritten = true; break;
		case 'n': prctl(PR_SET_NAME, optarg); break;
		default: return 2;
		}
	}
	if (!opt.vcpus || opt.vcpus > MAX_VCPUS || !opt.chunk || opt.shared * PAGE > SHARED_STRIDE ||
	    opt.touched * PAGE > STRIDE || opt.mapped * PAGE > STRIDE || (opt.protect && opt.vcpus > 1))
		errx(2, "out of bounds");
	create_vm();
	pthread_barrier_init(&barrier, NULL, opt.vcpus);
	printf("ready %d\n", getpid());
	fflush(stdout);
	if (getchar() == EOF)
		return 0;
	for (unsigned int id = 0; id < opt.vcpus; id++)
		vcpus[id].thread = start_thread(run, &vcpus[id]);
	for (unsigned int id = 0; id < opt.vcpus; id++)
		pthread_join(vcpus[id].thread, NULL);
	report();
	return 0;
}
