/* SPDX-License-Identifier: GPL-2.0 */
/* The counts of a VM, and the CPU's memory of which VM it ran last. */
#ifndef MEMATTR_TOP_SLOTS_BPF_H
#define MEMATTR_TOP_SLOTS_BPF_H

#include "vm_slots.bpf.h"

#include "counts.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VM_SLOTS);
	__type(key, __u32);
	__type(value, struct top_counts);
} counts SEC(".maps");

/* The collector makes as many entries as the highest number of a CPU needs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct top_cpu);
} cpus SEC(".maps");

__u64 lost_events;	/* events that no CPU's entry counts as lost */

static __always_inline struct top_cpu *find_cpu(void)
{
	__u32 id = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&cpus, &id);
}

/* What the CPU remembers may be of a VM that is no more. */
static __noinline int forget_all(struct top_cpu *cpu, __u32 now)
{
	if (!cpu)
		return 0;
	cpu->epoch = now;
	cpu->kvm = cpu->vcpu = 0;
	__builtin_memset(cpu->cached, 0, sizeof(cpu->cached));
	return 0;
}

/*
 * Only for programs that nothing interrupts which comes here as well: those at tracepoints, and those at functions that
 * are called with mmu_lock held.
 */
static __always_inline struct top_cpu *this_cpu(void)
{
	struct top_cpu *cpu = find_cpu();
	__u32 now = epoch;

	if (!cpu)
		__sync_fetch_and_add(&lost_events, 1);
	else if (cpu->epoch != now)
		forget_all(cpu, now);
	return cpu;
}

/* All but a VM's first event skip the lookup. */
static __always_inline __u32 slot_here(struct top_cpu *cpu, struct kvm *kvm)
{
	if (cpu->kvm != (__u64)kvm) {
		cpu->kvm = (__u64)kvm;
		cpu->slot = slot_of(kvm);
	}
	if (cpu->slot == NO_SLOT)
		cpu->lost++;
	return cpu->slot;
}

static __always_inline struct top_counts *counts_at(__u32 slot)
{
	return bpf_map_lookup_elem(&counts, &slot);
}

/* The verifier assumes that every argument of a module's tracepoint may be NULL. */
static __always_inline struct top_counts *counts_of(struct kvm *kvm)
{
	struct top_cpu *cpu = kvm ? this_cpu() : NULL;

	return cpu ? counts_at(slot_here(cpu, kvm)) : NULL;
}

static __always_inline void add(__u64 *count, __u64 more)
{
	__sync_fetch_and_add(count, more);
}

static __always_inline __u32 top_bucket(__u64 ns)
{
	__u32 bucket = h2_bucket(ns);

	return bucket < TOP_BUCKETS ? bucket : TOP_BUCKETS - 1;
}

#endif
