// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel side of memattr-top: turns events into one aggregate per VM. hooks.c decides which of the
 * programs are loaded, by what the kernel offers.
 */
#include <linux/errno.h>

#include "chain.bpf.h"
#include "exits.bpf.h"
#include "faults.bpf.h"
#include "gmem.bpf.h"
#include "stats.bpf.h"
#include "ways.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define KVM_MEMORY_ATTRIBUTE_PRIVATE (1ULL << 3)

/* Only the members that are read are declared; their offsets come from the running kernel's BTF. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
union kvm_mmu_notifier_arg {
	unsigned long attributes;
};

struct kvm_gfn_range {
	__u64 start;
	__u64 end;
	union kvm_mmu_notifier_arg arg;
};

struct kvm_memattr_zap_event {
	__u64 zap_start, zap_end;
	__u64 zap_ns;
};
#pragma clang attribute pop

static void count_direction(struct top_counts *counts, __u64 attributes)
{
	if (attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE)
		add(&counts->to_private, 1);
	else
		add(&counts->to_shared, 1);
}

static __u64 requested_pages(const struct kvm_memattr_convert_event *ev)
{
	return is_in_place(ev) ? ev->pgoff_end - ev->pgoff_start : ev->gfn_end - ev->gfn_start;
}

static __u64 spent_ns(const struct kvm_memattr_convert_event *ev)
{
	__u64 ns = ev->lock_ns + ev->policy_ns + ev->zap_ns + ev->store_ns;

	return is_in_place(ev) ? ns + ev->take_ns : ns;
}

static __always_inline void count_effective(struct top_counts *counts, const struct kvm_memattr_convert_event *ev,
					    __u64 ns)
{
	count_direction(counts, ev->attributes);
	add(&counts->effective_pages, ev->effective_pages);
	add(&counts->latency_ns, ns);
	add(&counts->latency[top_bucket(ns) % TOP_BUCKETS], 1);
}

static __always_inline void count_other(struct top_counts *counts, const struct kvm_memattr_convert_event *ev)
{
	if (ev->verdict) {
		add(&counts->denied, 1);
	} else if (ev->ret) {
		add(&counts->failed, 1);
		if (is_in_place(ev) && ev->ret == -EAGAIN)
			add(&counts->held, 1);
	} else {
		add(&counts->noop, 1);
	}
}

SEC("tp_btf/kvm_memattr_convert")
int BPF_PROG(count_convert, struct kvm *kvm, const struct kvm_memattr_convert_event *ev)
{
	struct top_cpu *cpu = kvm && ev ? this_cpu() : NULL;
	struct top_counts *counts;
	struct chain_times times;
	__u32 slot;

	if (!cpu)
		return 0;
	slot = slot_here(cpu, kvm);
	counts = counts_at(slot);
	if (!counts)
		return 0;
	add(&counts->requested_pages, requested_pages(ev));
	if (ev->verdict || ev->ret || !ev->effective_pages) {
		count_other(counts, ev);
		return 0;
	}
	times = (struct chain_times){ .spent_ns = spent_ns(ev), .zap_ns = ev->zap_ns };
	count_effective(counts, ev, times.spent_ns);
	if (count_ways || join_chains)
		times.end_ns = bpf_ktime_get_ns();
	if (count_ways)
		count_way(counts, slot, ev, times.end_ns);
	if (join_chains)
		chain_convert(kvm, slot, ev->gfn_start, ev->gfn_end, &times);
	return 0;
}

SEC("tp_btf/kvm_memattr_zap")
int BPF_PROG(count_zap, struct kvm *kvm, const struct kvm_memattr_zap_event *ev)
{
	struct top_counts *counts = counts_of(kvm);

	if (!counts || !ev)
		return 0;
	/* KVM counts the pages. */
	add(&counts->zaps, 1);
	add(&counts->zap_ns, ev->zap_ns);
	add(&counts->zap_latency[top_bucket(ev->zap_ns) % TOP_BUCKETS], 1);
	if (join_chains && join_zaps)
		chain_zap(ev->zap_start, ev->zap_end);
	return 0;
}

/*
 * For stock kernels. KVM calls this with mmu_lock held for write, once per memslot, and only for requests
 * that change something, but then with the whole requested range.
 */
SEC("fentry/kvm_arch_post_set_memory_attributes")
int BPF_PROG(count_convert_stock, struct kvm *kvm, struct kvm_gfn_range *range)
{
	struct top_counts *counts = counts_of(kvm);

	if (!counts)
		return 0;
	count_direction(counts, range->arg.attributes);
	add(&counts->effective_pages, range->end - range->start);
	return 0;
}

SEC("fentry/kvm_arch_pre_set_memory_attributes")
int BPF_PROG(count_zap_stock, struct kvm *kvm, struct kvm_gfn_range *range)
{
	struct top_counts *counts = counts_of(kvm);

	if (!counts)
		return 0;
	add(&counts->zaps, 1);
	add(&counts->zap_pages, range->end - range->start);
	return 0;
}
