// SPDX-License-Identifier: GPL-2.0
/*
 * A VM that has a known number of stage-2 faults and pre-faults.
 *
 * usage: prefault-vmm [-v VCPUS] [-t TOUCHED] [-m MAPPED] [-c CHUNK] [-s SHARED] [-r ROUNDS] [-n NAME] [-PHW]
 *
 * Of each vCPU's private memory the first MAPPED pages are pre-faulted, CHUNK at a time, and then once more.
 * Its guest touches TOUCHED pages of it and SHARED pages of the shared memory. Before each further round the
 * private memory is dropped, so that all of it starts anew. With -P the SHARED pages are written to and
 * pre-faulted, too; with -W they are write-protected after that, by dirty logging; with -H they are one huge
 * page.
 *
 * Says "ready" when the VM exists, and waits for a line. Then it runs, and prints what it did, and what KVM's
 * own statistics say of it, as JSON.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "kvm-abi.h"

#define PAGE		4096ull
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
	bool pre_fault_shared, huge, protect;
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

static void *shared_memory(size_t size, bool huge, bool written)
{
	/* Aligned as the guest's addresses are, or it cannot be mapped as huge pages. */
	size_t room = size + SHARED_STRIDE;
	char *mem = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		err(1, "mmap");
	mem += SHARED_STRIDE - (uintptr_t)mem % SHARED_STRIDE;
	/* Else: one page, one fault. */
	madvise(mem, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	/* A pre-fault only reads: of memory never written to it would map the zero page, to fault again. */
	if (written)
		memset(mem, 1, size);
	return mem;
}

static void *shared;

static void add_slot(unsigned int slot, uint64_t gpa, uint64_t size, void *mem, int gmem, uint32_t flags)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = slot,
		.flags = flags | (gmem < 0 ? 0 : KVM_MEM_GUEST_MEMFD),
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)mem,
		.guest_memfd = gmem < 0 ? 0 : gmem,
	};

	if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION2, &region))
		err(1, "memory slot %u", slot);
}

static void set_registers(struct vcpu *vcpu, uint64_t gpa, uint64_t pages)
{
	struct kvm_segment flat = {
		.limit = 0xffffffff, .selector = 8, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1,
	};
	struct kvm_regs regs = { .rip = CODE_GPA, .rflags = 2, .rax = gpa, .rcx = pages };
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs))
		err(1, "KVM_GET_SREGS");
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat;
	flat.type = 11;
	sregs.cs = flat;
	/* Protected mode, without page tables of the guest's own: no fault comes from them. */
	sregs.cr0 |= 1;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) || ioctl(vcpu->fd, KVM_SET_REGS, &regs))
		err(1, "registers");
}

static void touch(struct vcpu *vcpu, uint64_t gpa, uint64_t pages)
{
	if (!pages)
		return;
	set_registers(vcpu, gpa, pages);
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
		uint64_t done;

		vcpu->calls++;
		if (ioctl(vcpu->fd, KVM_PRE_FAULT_MEMORY, &range)) {
			vcpu->failed_calls++;
			if (errno == EINTR || errno == EAGAIN)
				continue;
			err(1, "KVM_PRE_FAULT_MEMORY at %#llx", (unsigned long long)gpa);
		}
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
		if (round && !vcpu->id &&
		    fallocate(gmem_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			      opt.vcpus * STRIDE))
			err(1, "fallocate");
		pthread_barrier_wait(&barrier);
		pre_fault(vcpu, private, opt.mapped);
		pre_fault(vcpu, private, opt.mapped);
		touch(vcpu, private, opt.touched);
		if (!round && opt.pre_fault_shared)
			pre_fault(vcpu, SHARED_GPA + vcpu->id * SHARED_STRIDE, opt.shared);
		if (!round && opt.protect)
			add_slot(SHARED_SLOT, SHARED_GPA, opt.vcpus * SHARED_STRIDE, shared, -1,
				 KVM_MEM_LOG_DIRTY_PAGES);
		if (!round)
			touch(vcpu, SHARED_GPA + vcpu->id * SHARED_STRIDE, opt.shared);
	}
	return NULL;
}

static uint64_t statistic(int fd, const char *name)
{
	struct kvm_stats_header header;
	uint64_t value = 0;
	size_t size;
	char *text;
	int stats = ioctl(fd, KVM_GET_STATS_FD, NULL);

	if (stats < 0 || pread(stats, &header, sizeof(header), 0) != sizeof(header))
		err(1, "KVM_GET_STATS_FD");
	size = sizeof(struct kvm_stats_desc) + header.name_size;
	text = malloc(size);
	for (uint32_t i = 0; text && i < header.num_desc; i++) {
		const struct kvm_stats_desc *desc = (void *)text;

		if (pread(stats, text, size, header.desc_offset + i * size) != (ssize_t)size)
			err(1, "statistics");
		if (!strcmp(desc->name, name) &&
		    pread(stats, &value, sizeof(value), header.data_offset + desc->offset) < 0)
			err(1, "statistics");
	}
	free(text);
	close(stats);
	return value;
}

static void create_vm(void)
{
	struct kvm_create_guest_memfd gmem = { .size = opt.vcpus * STRIDE };
	struct kvm_memory_attributes private = {
		.address = PRIVATE_GPA,
		.size = opt.vcpus * STRIDE,
		.attributes = KVM_MEMORY_ATTRIBUTE_PRIVATE,
	};
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	size_t run_size;
	void *page = shared_memory(PAGE, false, false);

	if (kvm < 0)
		err(3, "/dev/kvm");
	vm_fd = ioctl(kvm, KVM_CREATE_VM, KVM_X86_SW_PROTECTED_VM);
	if (vm_fd < 0)
		err(3, "KVM_CREATE_VM");
	gmem_fd = ioctl(vm_fd, KVM_CREATE_GUEST_MEMFD, &gmem);
	if (gmem_fd < 0)
		err(3, "KVM_CREATE_GUEST_MEMFD");
	memcpy(page, code, sizeof(code));
	shared = shared_memory(opt.vcpus * SHARED_STRIDE, opt.huge, opt.pre_fault_shared);
	add_slot(CODE_SLOT, CODE_GPA, PAGE, page, -1, 0);
	add_slot(SHARED_SLOT, SHARED_GPA, opt.vcpus * SHARED_STRIDE, shared, -1, 0);
	add_slot(PRIVATE_SLOT, PRIVATE_GPA, gmem.size, shared_memory(gmem.size, false, false), gmem_fd, 0);
	if (ioctl(vm_fd, KVM_SET_MEMORY_ATTRIBUTES, &private))
		err(1, "KVM_SET_MEMORY_ATTRIBUTES");

	run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
	for (unsigned int id = 0; id < opt.vcpus; id++) {
		vcpus[id].id = id;
		vcpus[id].fd = ioctl(vm_fd, KVM_CREATE_VCPU, id);
		vcpus[id].run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
				     vcpus[id].fd, 0);
		if (vcpus[id].fd < 0 || vcpus[id].run == MAP_FAILED)
			err(1, "vCPU %u", id);
	}
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void report(uint64_t ns)
{
	static const char *const names[] = { "pf_taken", "pf_fixed", "pf_spurious", "pf_emulate" };
	uint64_t calls = 0, failed = 0, done = 0;

	printf("{\"pid\":%d,\"ns\":%llu", getpid(), (unsigned long long)ns);
	for (unsigned int id = 0; id < opt.vcpus; id++) {
		calls += vcpus[id].calls;
		failed += vcpus[id].failed_calls;
		done += vcpus[id].done_pages;
	}
	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++) {
		uint64_t sum = 0;

		printf(",\"%s_by_vcpu\":[", names[i]);
		for (unsigned int id = 0; id < opt.vcpus; id++) {
			uint64_t value = statistic(vcpus[id].fd, names[i]);

			printf("%s%llu", id ? "," : "", (unsigned long long)value);
			sum += value;
		}
		printf("],\"%s\":%llu", names[i], (unsigned long long)sum);
	}
	printf(",\"private_faults\":%llu,\"shared_pages\":%llu",
	       (unsigned long long)(opt.vcpus * opt.rounds *
				    (opt.touched > opt.mapped ? opt.touched - opt.mapped : 0)),
	       (unsigned long long)(opt.vcpus * opt.shared));
	printf(",\"calls\":%llu,\"failed_calls\":%llu,\"done_pages\":%llu",
	       (unsigned long long)calls, (unsigned long long)failed, (unsigned long long)done);
	printf(",\"new_pages\":%llu,\"old_pages\":%llu}\n",
	       (unsigned long long)(opt.vcpus * (opt.rounds * opt.mapped +
					      (opt.pre_fault_shared ? opt.shared : 0))),
	       (unsigned long long)(opt.vcpus * opt.rounds * opt.mapped));
}

int main(int argc, char **argv)
{
	uint64_t start_ns;
	int option;

	while ((option = getopt(argc, argv, "v:t:m:c:s:r:n:PHW")) != -1) {
		switch (option) {
		case 'v': opt.vcpus = atoi(optarg); break;
		case 't': opt.touched = atoll(optarg); break;
		case 'm': opt.mapped = atoll(optarg); break;
		case 'c': opt.chunk = atoll(optarg); break;
		case 's': opt.shared = atoll(optarg); break;
		case 'r': opt.rounds = atoll(optarg); break;
		case 'P': opt.pre_fault_shared = true; break;
		case 'H': opt.huge = true; break;
		case 'W': opt.protect = true; break;
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
	start_ns = now_ns();
	for (unsigned int id = 0; id < opt.vcpus; id++)
		if (pthread_create(&vcpus[id].thread, NULL, run, &vcpus[id]))
			errx(1, "no thread");
	for (unsigned int id = 0; id < opt.vcpus; id++)
		pthread_join(vcpus[id].thread, NULL);
	report(now_ns() - start_ns);
	return 0;
}
