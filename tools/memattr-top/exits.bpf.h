/* SPDX-License-Identifier: GPL-2.0 */
/* Exits: of each VM; and on demand of each vCPU and by reason, with the time until the vCPU runs again. */
#ifndef MEMATTR_TOP_EXITS_BPF_H
#define MEMATTR_TOP_EXITS_BPF_H

#include "chain.bpf.h"
#include "parts.bpf.h"

/* The collector turns this on and off: dividing exits, and returns to userspace, costs more than counting them. */
_Bool divide_exits;

/*
 * Where a vCPU has its exit reason, in bytes: the types of kvm_amd and kvm_intel are not where CO-RE looks for them.
 * 0: not known, because the module is not loaded.
 */
const volatile __u32 svm_vmcb_at, vmcb_exit_code_at, vmx_exit_reason_at;

#define VMX_BASIC_REASON 0xffff		/* the other bits tell of the circumstances */

/* Any struct of vmlinux that begins with a number of 64 bits will do. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct timespec64 {
	__s64 tv_sec;
};
#pragma clang attribute pop

/* As bpf_probe_read_kernel(), which would take half of the time that counting an exit takes. */
static __always_inline __u64 read_u64(__u64 address)
{
	return bpf_core_cast((void *)address, struct timespec64)->tv_sec;
}

static __always_inline _Bool read_reason(struct kvm_vcpu *vcpu, __u32 isa, __s64 *part)
{
	__u32 at = isa == REASON_SVM ? svm_vmcb_at : vmx_exit_reason_at;
	__u64 found;

	if (!at || (isa != REASON_SVM && isa != REASON_VMX))
		return 0;
	found = read_u64((__u64)vcpu + at);
	if (isa == REASON_SVM)
		*part = PART_EXIT_OF(REASON_SVM, read_u64(found + vmcb_exit_code_at));
	else
		*part = PART_EXIT_OF(REASON_VMX, found & VMX_BASIC_REASON);
	return 1;
}

/* Only the thread that runs the vCPU calls these three, with interrupts off. */
static __always_inline void come_to_vcpu(struct top_cpu *cpu, struct kvm_vcpu *vcpu)
{
	if (cpu->vcpu == (__u64)vcpu)
		return;
	cpu->vcpu_slot = slot_of(vcpu->kvm);
	cpu->vcpu_series = NO_SERIES;
	cpu->vcpu = (__u64)vcpu;
}

/* If there is none now, one may have become free by the next event. */
static __noinline int find_vcpu_series(struct top_cpu *cpu, __u32 vcpu_id)
{
	struct top_series_key key = { .kind = PART_VCPU, .part = vcpu_id };

	if (!cpu || cpu->vcpu_slot == NO_SLOT)
		return 0;
	key.slot = cpu->vcpu_slot;
	cpu->vcpu_series = series_of(&key);
	cpu->lost += cpu->vcpu_series == NO_SERIES;
	return 0;
}

static __always_inline struct top_series *vcpu_series(struct top_cpu *cpu, struct kvm_vcpu *vcpu)
{
	if (cpu->vcpu_series == NO_SERIES)
		find_vcpu_series(cpu, vcpu->vcpu_id);
	return series_at(cpu->vcpu_series);
}

static __always_inline void divide_exit(struct top_cpu *cpu, struct kvm_vcpu *vcpu, __u32 isa, __u32 slot)
{
	struct top_series *of_vcpu = vcpu_series(cpu, vcpu), *of_reason;
	__s64 reason;

	if (!of_vcpu)
		return;
	of_vcpu->count++;
	of_vcpu->exit_ns = bpf_ktime_get_ns();
	of_vcpu->exit_series = NO_SERIES;
	if (!read_reason(vcpu, isa, &reason))
		return;
	of_vcpu->exit_series = series_here(cpu, slot, PART_EXIT, reason);
	of_reason = series_at(of_vcpu->exit_series);
	if (of_reason)
		add(&of_reason->count, 1);
}

/* Runs tens of thousands of times a second on each CPU. */
SEC("tp_btf/kvm_exit")
int BPF_PROG(count_exit, struct kvm_vcpu *vcpu, __u32 isa)
{
	struct top_cpu *cpu = this_cpu();
	__u32 slot;

	if (!cpu || !vcpu)
		return 0;
	come_to_vcpu(cpu, vcpu);
	slot = cpu->vcpu_slot;
	if (slot == NO_SLOT) {
		cpu->lost++;
		return 0;
	}
	cpu->exits[slot % VM_SLOTS]++;
	if (divide_exits)
		divide_exit(cpu, vcpu, isa, slot);
	return 0;
}

SEC("tp_btf/kvm_entry")
int BPF_PROG(end_exit, struct kvm_vcpu *vcpu)
{
	struct top_cpu *cpu = this_cpu();
	struct top_series *of_vcpu, *of_reason;
	__u32 bucket;
	__u64 ns;

	if (!cpu || !vcpu)
		return 0;
	come_to_vcpu(cpu, vcpu);
	of_vcpu = vcpu_series(cpu, vcpu);
	/* The vCPU's first entry, or the first one since exits are divided. */
	if (!of_vcpu || !of_vcpu->exit_ns)
		return 0;
	ns = bpf_ktime_get_ns() - of_vcpu->exit_ns;
	of_vcpu->exit_ns = 0;
	bucket = top_bucket(ns);
	of_vcpu->ns += ns;
	of_vcpu->latency[bucket % TOP_BUCKETS]++;
	of_reason = series_at(of_vcpu->exit_series);
	if (of_reason)
		add_time(of_reason, ns, bucket);
	return 0;
}

/* A memory fault is an exit although KVM_RUN returns an error. Other errors leave the reason as it was before. */
static __always_inline __s64 user_part(__u32 reason, int error)
{
	if (error >= 0 || reason == USER_EXIT_MEMORY_FAULT)
		return PART_EXIT_OF(REASON_USER, reason);
	return PART_EXIT_OF(REASON_USER_ERROR, -error);
}

static __noinline __u32 user_series(struct kvm *kvm, __s64 part)
{
	struct top_series_key key = { .kind = PART_EXIT, .part = part };

	key.slot = kvm ? slot_of(kvm) : NO_SLOT;
	return key.slot == NO_SLOT ? NO_SERIES : series_of(&key);
}

/*
 * Finds the series of a vCPU whose ioctl comes to its end, or NULL if the last exit or entry on this CPU was another
 * one's. The program can be preempted, but only by the events of other vCPUs: if the CPU remembers this vCPU after its
 * series was read, it did so before. A CPU that is in this epoch remembers nothing from before the vCPU was there.
 */
static __always_inline struct top_series *series_of_running(struct kvm_vcpu *vcpu)
{
	volatile struct top_cpu *cpu = find_cpu();
	__u32 id;

	if (!cpu || cpu->epoch != epoch)
		return NULL;
	id = cpu->vcpu_series;
	return cpu->vcpu == (__u64)vcpu ? series_at(id) : NULL;
}

static __always_inline void count_user_part(struct kvm_vcpu *vcpu, __s64 part)
{
	struct top_series *of_vcpu = series_of_running(vcpu), *of_part;
	__u32 id;

	if (of_vcpu && of_vcpu->user_part == part)
		id = of_vcpu->user_series;
	else
		id = user_series(vcpu->kvm, part);
	of_part = series_at(id);
	if (!of_part) {
		add(&lost_events, 1);
		return;
	}
	add(&of_part->count, 1);
	if (of_vcpu && of_vcpu->user_part != part) {
		of_vcpu->user_part = part;
		of_vcpu->user_series = id;
	}
}

/* Here the tracepoint kvm_userspace_exit follows, which does not tell the VM. */
SEC("fexit/kvm_arch_vcpu_ioctl_run")
int BPF_PROG(count_user_exit, struct kvm_vcpu *vcpu, int ret)
{
	const struct kvm_run *run = vcpu->run;
	/* Each read of what fexit passes is checked, so it is read once. */
	__u32 reason = run->exit_reason;

	if (divide_exits)
		count_user_part(vcpu, user_part(reason, ret));
	if (join_chains)
		chain_exit(vcpu, run, reason);
	return 0;
}

#endif
