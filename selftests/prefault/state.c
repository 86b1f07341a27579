// SPDX-License-Identifier: GPL-2.0
/* KVM_PRE_FAULT_MEMORY where the state of the vCPU or the VM forbids it: shadow paging, L2, death. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "prefault.h"
#include "tap.h"

/* --- shadow -------------------------------------------------------------- */

void test_shadow(void)
{
	struct kvm_pre_fault_memory range = { .gpa = CODE_GPA, .size = PAGE };
	struct vcpu *vcpu = &vm.vcpus[0];
	int err;

	create_plain_vm(1);
	err = pre_fault_some(vcpu, &range);
	ok(err == EOPNOTSUPP, "shadow page tables: EOPNOTSUPP (%s)", strerror(err));
	ok(pre_fault_ends_with(EOPNOTSUPP, FAR_PAGE, 1), "whether there is a memslot or not");
	warm_up(vcpu);
	ok(vcpu->found[0] == *(uint32_t *)guest_read, "the guest runs");
}

/* --- nested -------------------------------------------------------------- */

#define EFER_LME		(1ull << 8)
#define EFER_LMA		(1ull << 10)
#define EFER_SVME		(1ull << 12)
#define CR0_PE			(1ull << 0)
#define CR0_PG			(1ull << 31)
#define CR4_PAE			(1ull << 5)

/* Of AMD's VMCB, 32 or 64 bit words by their offset. */
#define VMCB_INTERCEPTS_5	0x010
#define INTERCEPT_VMRUN		(1u << 0)
#define VMCB_ASID		0x058
#define VMCB_NESTED_CTL		0x090
#define NP_ENABLE		(1ull << 0)
#define VMCB_NESTED_CR3		0x0b0
#define VMCB_EFER		0x4d0
#define VMCB_CR4		0x548
#define VMCB_CR3		0x550
#define VMCB_CR0		0x558
#define VMCB_DR7		0x560
#define VMCB_DR6		0x568
#define VMCB_RFLAGS		0x570

/* The VMCB follows the state. It cannot be a member after it, as the state has a variable size. */
union svm_state {
	uint8_t bytes[sizeof(struct kvm_nested_state) + KVM_STATE_NESTED_SVM_VMCB_SIZE];
	struct kvm_nested_state state;
};

#define NESTED_PAGES	64u
#define NESTED_TABLES	5u			/* one of them, not the first */

/* Whether KVM lets its guests have SVM. */
static bool offers_svm(void)
{
	struct kvm_cpuid2 *cpuid = supported_cpuid();
	bool svm = false;

	for (unsigned int i = 0; i < cpuid->nent; i++)
		svm |= cpuid->entries[i].function == 0x80000001 && cpuid->entries[i].ecx & 1 << 2;
	free(cpuid);
	return svm;
}

static void put_u32(uint8_t *vmcb, unsigned int offset, uint32_t value)
{
	memcpy(vmcb + offset, &value, sizeof(value));
}

static void put_u64(uint8_t *vmcb, unsigned int offset, uint64_t value)
{
	memcpy(vmcb + offset, &value, sizeof(value));
}

/*
 * The vCPU is in L2, in which it never runs: its L1 is a 64-bit one, which has page tables for L2
 * or not, which begin at @tables, and L2 is what the vCPU was before.
 */
static void enter_l2(struct vcpu *vcpu, bool nested_paging, uint64_t tables)
{
	union svm_state svm = { .bytes = { 0 } };
	uint8_t *vmcb = svm.bytes + sizeof(svm.state);
	struct kvm_sregs sregs;

	check(ioctl(vcpu->fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.efer |= EFER_SVME;
	check(ioctl(vcpu->fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");

	svm.state.flags = KVM_STATE_NESTED_GUEST_MODE | KVM_STATE_NESTED_GIF_SET;
	svm.state.format = KVM_STATE_NESTED_FORMAT_SVM;
	svm.state.size = sizeof(svm);
	svm.state.hdr.svm.vmcb_pa = CODE_GPA;
	put_u32(vmcb, VMCB_INTERCEPTS_5, INTERCEPT_VMRUN);
	put_u32(vmcb, VMCB_ASID, 1);
	put_u64(vmcb, VMCB_NESTED_CTL, nested_paging ? NP_ENABLE : 0);
	/* There is memory, and what it says does not matter to a root. */
	put_u64(vmcb, VMCB_NESTED_CR3, tables);
	put_u64(vmcb, VMCB_EFER, EFER_LME | EFER_LMA | EFER_SVME);
	put_u64(vmcb, VMCB_CR4, CR4_PAE);
	put_u64(vmcb, VMCB_CR3, CODE_GPA);
	put_u64(vmcb, VMCB_CR0, CR0_PG | CR0_PE);
	put_u64(vmcb, VMCB_DR7, 0x400);
	put_u64(vmcb, VMCB_DR6, 0xffff0ff0);
	put_u64(vmcb, VMCB_RFLAGS, 2);
	check(ioctl(vcpu->fd, KVM_SET_NESTED_STATE, &svm), "KVM_SET_NESTED_STATE, into L2");
}

static void leave_l2(struct vcpu *vcpu)
{
	struct kvm_nested_state state = {
		.flags = KVM_STATE_NESTED_GIF_SET,
		.format = KVM_STATE_NESTED_FORMAT_SVM,
		.size = sizeof(state),
	};
	struct kvm_sregs sregs;

	/* What was L2's is L1's from now on. */
	check(ioctl(vcpu->fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	check(ioctl(vcpu->fd, KVM_SET_NESTED_STATE, &state), "KVM_SET_NESTED_STATE, out of L2");
	sregs.efer &= ~EFER_SVME;
	check(ioctl(vcpu->fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
}

static bool is_in_l2(struct vcpu *vcpu)
{
	union svm_state svm = { .bytes = { 0 } };

	svm.state.size = sizeof(svm);
	check(ioctl(vcpu->fd, KVM_GET_NESTED_STATE, &svm), "KVM_GET_NESTED_STATE");
	return svm.state.flags & KVM_STATE_NESTED_GUEST_MODE;
}

void test_nested(void)
{
	struct kvm_pre_fault_memory range = range_of(0, NESTED_PAGES);
	struct vcpu *vcpu = &vm.vcpus[0];
	unsigned int count, protected;
	unsigned long long pages;
	int err;

	if (!offers_svm()) {
		skip("a vCPU in L2", "KVM offers no SVM to its guests");
		return;
	}
	create_vm(1);
	set_cpuid(vcpu->fd);
	warm_up(vcpu);
	create_work(NESTED_PAGES);
	set(0, NESTED_PAGES / 2, true);

	pages = vm_stat("pages_4k");
	enter_l2(vcpu, true, CODE_GPA);
	err = pre_fault_some(vcpu, &range);
	ok(is_in_l2(vcpu) && err == EOPNOTSUPP,
	   "a vCPU in L2, with nested page tables: EOPNOTSUPP (%s)", strerror(err));
	ok(pre_fault_ends_with(EOPNOTSUPP, NESTED_PAGES / 2, 1) &&
	   pre_fault_ends_with(EOPNOTSUPP, FAR_PAGE, 1),
	   "whether the memory is private, shared, or not there");
	ok(vm_stat("pages_4k") == pages, "nothing is mapped");
	ok(ioctl(vm.fd, KVM_CHECK_EXTENSION, KVM_CAP_PRE_FAULT_MEMORY) == 1,
	   "although the capability is reported");
	leave_l2(vcpu);
	ok(!is_in_l2(vcpu) && pre_fault_ends_with(0, 0, NESTED_PAGES) &&
	   vm_stat("pages_4k") == pages + NESTED_PAGES, "out of L2: success");
	ok(pages_are_ready(vcpu, 0, NESTED_PAGES), "the guest finds its memory, without a fault");

	/* KVM's page tables are for L1's addresses then, but L2 has some of its own. */
	pages = vm_stat("pages_4k");
	enter_l2(vcpu, false, CODE_GPA);
	ok(is_in_l2(vcpu) && pre_fault_ends_with(0, 0, NESTED_PAGES) &&
	   vm_stat("pages_4k") == pages + NESTED_PAGES,
	   "in L2 without nested page tables: success, it is mapped for L2");
	leave_l2(vcpu);
	ok(pages_are_ready(vcpu, 0, NESTED_PAGES), "and still for L1");

	/* KVM has to notice when L1 changes its page tables, wherever they are. */
	enter_l2(vcpu, true, page_gpa(NESTED_TABLES));
	err = pre_fault_some(vcpu, &range);
	leave_l2(vcpu);
	ok(err == EOPNOTSUPP, "in L2, with nested page tables in private memory");
	set(0, NESTED_PAGES, false);
	set(0, NESTED_PAGES, true);
	count = pre_fault_protected(vcpu, NESTED_PAGES, &protected);
	ok(count == 1 && protected == NESTED_TABLES,
	   "out of L2: of all pages only these cannot be written to (%u, page %u)", count, protected);

	/* A policy may want them mapped, if there is one. L2 ends at once, it has no memory. */
	set(0, NESTED_PAGES, false);
	enter_l2(vcpu, true, CODE_GPA);
	set(0, NESTED_PAGES, true);
	pages = vm_stat("pages_4k");
	err = ioctl(vcpu->fd, KVM_RUN, 0) ? errno : 0;
	ok(vm_stat("pages_4k") < pages + NESTED_PAGES / 2,
	   "L2 runs, after a conversion: nothing is mapped for it (%s, exit %u)", strerror(err),
	   vcpu->run->exit_reason);
}

/* --- dead ---------------------------------------------------------------- */

#define DEAD_PAGES	(2 * BLOCK_PAGES)

static pthread_barrier_t pre_faults_go_on;

/* What the call said in which the VM died, if it was in one, and the first after it. */
static struct {
	uint64_t rest;
	int err;
} death;

static void *pre_fault_to_death(void *unused)
{
	struct kvm_pre_fault_memory range;
	bool first = true;

	(void)unused;
	do {
		range = range_of(0, DEAD_PAGES);
		death.err = pre_fault_some(&vm.vcpus[0], &range);
		if (!death.err)
			death.rest = range.size / PAGE;
		if (first)
			pthread_barrier_wait(&pre_faults_go_on);
		first = false;
	} while (!death.err);
	return NULL;
}

/* A VM dies if the state of a vCPU that gets an SMI cannot be saved: there is no memory for it. */
static int die(struct vcpu *vcpu)
{
	check(ioctl(vcpu->fd, KVM_SMI, 0), "KVM_SMI");
	start_guest(vcpu, guest_read, LIST_WORDS, 0);
	return ioctl(vcpu->fd, KVM_RUN, 0) ? errno : 0;
}

/* A VM whose vCPU 0 has pre-faulted until it was dead. Returns what it died of. */
static int create_dead_vm(void)
{
	pthread_t thread;
	int err;

	create_vm(2);
	warm_up(&vm.vcpus[1]);
	create_work(DEAD_PAGES);
	set(0, DEAD_PAGES / 2, true);
	memset(&death, 0, sizeof(death));
	pthread_barrier_init(&pre_faults_go_on, NULL, 2);
	thread = start_thread(pre_fault_to_death, NULL);
	pthread_barrier_wait(&pre_faults_go_on);
	err = die(&vm.vcpus[1]);
	pthread_join(thread, NULL);
	return err;
}

static bool vms_can_die(void)
{
	bool can;

	create_vm(1);
	can = ioctl(vm.fd, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM) > 0;
	if (!can)
		skip("a dead VM", "KVM was built without SMM, which it would die of");
	destroy_vm();
	return can;
}

void test_dead(void)
{
	struct kvm_pre_fault_memory range = range_of(1, DEAD_PAGES - 1);

	if (!vms_can_die())
		return;
	ok(create_dead_vm() == EIO, "a VM dies");
	ok(death.err == EIO, "of a vCPU that pre-faults meanwhile a call ends with EIO (%s)",
	   strerror(death.err));
	ok(pre_fault_some(&vm.vcpus[0], &range) == EIO && range_is(&range, 1, DEAD_PAGES - 1),
	   "a dead VM: EIO");
	ok(pre_fault_ends_with(EIO, FAR_PAGE, 1), "whatever it is asked for");
}

/* That it ends the call in which it happens, and not only the next one. */
void test_death(void)
{
	uint64_t rest = 0;

	if (!vms_can_die())
		return;
	/* It can happen that the vCPU is just not there. */
	for (int i = 0; i < 10 && !rest; i++) {
		create_dead_vm();
		rest = death.rest;
		destroy_vm();
	}
	ok(rest && rest < DEAD_PAGES && death.err == EIO,
	   "a VM dies in the middle of a call: success, with a rest (%lu pages), then EIO", rest);
}
