// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUEST_SIZE 4096

#ifndef KVM_PRE_FAULT_MEMORY
/* Linux 6.11 */
struct kvm_pre_fault_memory {
	__u64 gpa;
	__u64 size;
	__u64 flags;
	__u64 padding[5];
};

#define KVM_PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, struct kvm_pre_fault_memory)
#endif

struct trial {
	int kvm, vm, vcpu;
	unsigned char *memory;	/* at gpa 0 */
};

static int give_memory(struct trial *trial)
{
	struct kvm_userspace_memory_region slot = { .memory_size = GUEST_SIZE };
	void *memory = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	trial->memory = memory;
	trial->memory[0] = 0xf4;	/* hlt */
	slot.userspace_addr = (uintptr_t)memory;
	return ioctl(trial->vm, KVM_SET_USER_MEMORY_REGION, &slot);
}

static void end(struct trial *trial)
{
	if (trial->vcpu >= 0)
		close(trial->vcpu);
	if (trial->vm >= 0)
		close(trial->vm);
	if (trial->kvm >= 0)
		close(trial->kvm);
	if (trial->memory)
		munmap(trial->memory, GUEST_SIZE);
}

static int start(struct trial *trial)
{
	*trial = (struct trial){ .vm = -1, .vcpu = -1 };
	trial->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (trial->kvm < 0)
		return -1;
	trial->vm = ioctl(trial->kvm, KVM_CREATE_VM, 0);
	if (trial->vm < 0 || give_memory(trial))
		return -1;
	trial->vcpu = ioctl(trial->vm, KVM_CREATE_VCPU, 0);
	return trial->vcpu < 0 ? -1 : 0;
}

/* Runs the guest from gpa 0 to its only instruction. */
static int run(struct trial *trial)
{
	struct kvm_regs regs = { .rflags = 1 << 1 };
	struct kvm_sregs sregs;

	if (ioctl(trial->vcpu, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(trial->vcpu, KVM_SET_SREGS, &sregs) || ioctl(trial->vcpu, KVM_SET_REGS, &regs))
		return -1;
	return ioctl(trial->vcpu, KVM_RUN, 0);
}

static int prefault(struct trial *trial)
{
	struct kvm_pre_fault_memory range = { .size = GUEST_SIZE };

	return ioctl(trial->vcpu, KVM_PRE_FAULT_MEMORY, &range);
}

static int try_out(int (*act)(struct trial *trial))
{
	struct trial trial;
	int err = 0;

	if (start(&trial) || act(&trial))
		err = -errno;
	end(&trial);
	return err;
}

int trial_fault(void)
{
	return try_out(run);
}

int trial_prefault(void)
{
	return try_out(prefault);
}
