/* SPDX-License-Identifier: GPL-2.0 */
/* Stage-2 faults, and memory that is mapped ahead of them, by alias and level. */
#ifndef MEMATTR_TOP_FAULTS_BPF_H
#define MEMATTR_TOP_FAULTS_BPF_H

#include "chain.bpf.h"
#include "parts.bpf.h"
#include "stage2.bpf.h"

#define LEVEL_2M	2
#define HUGE_PAGES_2M	512

/* When a task's fault began, for hooks at both ends of the function. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u64);
} fault_began SEC(".maps");

static __always_inline void count_huge(__u32 slot, __u64 pages)
{
	struct top_counts *of_vm = bpf_map_lookup_elem(&counts, &slot);

	if (of_vm)
		add(&of_vm->huge_mapped, pages);
}

static __always_inline void count_fault(struct top_series *s, __u32 slot, int level, int result, __u64 ns)
{
	add(&s->count, 1);
	add_time(s, ns, top_bucket(ns));
	if (level >= LEVEL_2M && result == RESULT_FIXED)
		count_huge(slot, 1);
}

/* As this_cpu(): not for programs that are interrupted by others which come here. Returns whether there is a slot. */
static __always_inline _Bool fault_slot(struct kvm_vcpu *vcpu, struct top_cpu **cpu, __u32 *slot)
{
	*cpu = vcpu ? this_cpu() : NULL;
	if (!*cpu)
		return 0;
	*slot = slot_here(*cpu, vcpu->kvm);
	return *slot != NO_SLOT;
}

static __always_inline struct top_series *fault_series(struct top_cpu *cpu, __u32 slot, __u32 alias, __u32 level)
{
	return series_at(series_here(cpu, slot, PART_FAULT, PART_FAULT_OF(alias, level)));
}

SEC("tp_btf/kvm_stage2_fault")
int BPF_PROG(stage2_fault, struct kvm_vcpu *vcpu, __u64 gpa, __u64 error_code, int level, _Bool prefaulted,
	     int ret, __u64 ns)
{
	int result = result_of(ret);
	struct top_series *s;
	struct top_cpu *cpu;
	__u32 slot;

	if (!fault_slot(vcpu, &cpu, &slot))
		return 0;
	s = fault_series(cpu, slot, alias_of(error_code), mapped_level(level, result));
	if (s) {
		count_fault(s, slot, level, result, ns);
		if (prefaulted)
			add(&s->late, 1);
	}
	if (join_chains && (result == RESULT_FIXED || result == RESULT_SPURIOUS))
		chain_fault(slot, gpa >> PAGE_SHIFT, ns);
	return 0;
}

SEC("tp_btf/kvm_prefault_map")
int BPF_PROG(prefault_map, struct kvm_vcpu *vcpu, __u64 gfn, _Bool private, int level, __u64 pages,
	     __u64 new_pages)
{
	struct top_series *s;
	struct top_cpu *cpu;
	__u32 slot;

	if (!fault_slot(vcpu, &cpu, &slot))
		return 0;
	s = fault_series(cpu, slot, private ? ALIAS_PRIVATE : ALIAS_SHARED, level);
	if (!s)
		return 0;
	add(&s->ahead_pages, pages);
	add(&s->ahead_new_pages, new_pages);
	if (level == LEVEL_2M)
		count_huge(slot, new_pages / HUGE_PAGES_2M);
	return 0;
}

/* --- hooks at a function, for kernels without these tracepoints. They can be preempted: nothing is remembered. --- */

SEC("fentry/kvm_tdp_page_fault")
int BPF_PROG(tdp_fault_begin, struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	__u64 *began;

	if (fault->prefetch)
		return 0;
	began = bpf_task_storage_get(&fault_began, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (began)
		*began = bpf_ktime_get_ns();
	else
		add(&lost_events, 1);
	return 0;
}

SEC("fexit/kvm_tdp_page_fault")
int BPF_PROG(tdp_fault_end, struct kvm_vcpu *vcpu, struct kvm_page_fault *fault, int ret)
{
	__u64 *began = bpf_task_storage_get(&fault_began, bpf_get_current_task_btf(), 0, 0);
	int result = result_of(ret), level = fault->goal_level;
	struct top_series_key key = { .kind = PART_FAULT };
	struct top_series *s;
	__u64 since;

	/* Without a beginning, the function began before the hook was attached. */
	if (fault->prefetch || !began || !*began)
		return 0;
	since = *began;
	*began = 0;
	key.part = PART_FAULT_OF(fault_alias(fault), mapped_level(level, result));
	key.slot = slot_of(vcpu->kvm);
	s = key.slot == NO_SLOT ? NULL : series_at(series_of(&key));
	if (s)
		count_fault(s, key.slot, level, result, bpf_ktime_get_ns() - since);
	else
		add(&lost_events, 1);
	return 0;
}

#endif
