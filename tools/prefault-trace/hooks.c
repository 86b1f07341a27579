// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "hooks.h"

#include <bpf/libbpf.h>

#include "prefault-trace.skel.h"
#include "figures.h"
#include "results.h"
#include "trial.h"

/*
 * For each metric, the best hook comes first. Four tracepoints come with the memattr kernel series. KVM has
 * had KVM_PRE_FAULT_MEMORY since Linux 6.11; kvm_tdp_page_fault can be traced up to 7.2.
 */
static const struct hook hooks[] = {
	{
		.metric = METRIC_FAULTS,
		.measures = MEASURE_FAULTS | MEASURE_FAULT_ENDS | MEASURE_LATE,
		.site = { HOOK_TP_BTF, "kvm_stage2_fault" },
		.programs = { "stage2_fault" },
	}, {
		.metric = METRIC_FAULTS, .measures = MEASURE_FAULTS | MEASURE_FAULT_ENDS,
		.site = { HOOK_FEXIT, "kvm_tdp_page_fault" },
		.also = { HOOK_FENTRY, "kvm_tdp_page_fault" }, .trial = trial_fault,
		.programs = { "tdp_fault_begin", "tdp_fault_end" },
		.note = "the latency includes the hook's own cost",
	}, {
		.metric = METRIC_FAULTS, .measures = MEASURE_FAULTS,
		.site = { HOOK_TP_VENDOR, "kvm_page_fault" },
		.programs = { "page_fault" },
		.note = "counts what KVM is asked to resolve, MMIO too, but not the outcome",
	}, {
		.metric = METRIC_CALLS, .measures = MEASURE_CALLS,
		.site = { HOOK_TP_BTF, "kvm_pre_fault_memory" },
		.programs = { "pre_fault_memory" },
	}, {
		.metric = METRIC_CALLS, .measures = MEASURE_CALLS,
		.site = { HOOK_FEXIT, "kvm_vcpu_ioctl" }, .also = { HOOK_FENTRY, "kvm_vcpu_ioctl" },
		.needs = "kvm_arch_vcpu_pre_fault_memory",
		.programs = { "vcpu_ioctl_begin", "vcpu_ioctl_end" },
		.note = "the latency includes waiting for the vCPU",
	}, {
		.metric = METRIC_PAGES, .measures = MEASURE_PAGES | MEASURE_READ_ONLY,
		.site = { HOOK_TP_BTF, "kvm_prefault_map" },
		.also = { HOOK_FENTRY, "mark_spte_for_access_track" }, .trial = trial_prefault,
		.programs = { "prefault_map", "prefetch_access" },
	}, {
		.metric = METRIC_PAGES, .measures = MEASURE_PAGES,
		.site = { HOOK_TP_BTF, "kvm_prefault_map" },
		.programs = { "prefault_map_only" },
		.note = "read-only pages, such as the zero page, are not told apart",
	}, {
		/*
		 * Up to 6.13, KVM rewrites an entry that exists, without the Dirty bit, and reports
		 * it as fixed.
		 */
		.metric = METRIC_PAGES, .measures = MEASURE_PAGES | MEASURE_READ_ONLY,
		.site = { HOOK_FEXIT, "kvm_tdp_page_fault" }, .needs = "kvm_arch_vcpu_pre_fault_memory",
		.trial = trial_prefault,
		.programs = { "prefetch_page" },
		.note = "a page that was mapped before may count as new",
	}, {
		.metric = METRIC_WINDOWS, .measures = MEASURE_WINDOWS,
		.site = { HOOK_TP_BTF, "kvm_memattr_prefault" },
		.programs = { "memattr_prefault" },
	}, {
		.metric = METRIC_VM_END,
		.site = { HOOK_FENTRY, "kvm_arch_destroy_vm" },
		.programs = { "end_vm" },
	},
};

static const char * const metric_names[] = {
	[METRIC_FAULTS] = "faults",
	[METRIC_CALLS] = "pre-faults",
	[METRIC_PAGES] = "mapped ahead",
	[METRIC_WINDOWS] = "windows",
	[METRIC_USE] = "use",
	[METRIC_VM_END] = "VM end",
};

_Static_assert(METRIC_COUNT <= METRICS_MAX, "struct hooks has room for them");

const struct fallback fallback = {
	.hooks = hooks,
	.count = sizeof(hooks) / sizeof(*hooks),
	.metrics = metric_names,
	.vital = METRIC_CALLS + 1,
};

int hooks_select(const struct hooks *found, struct prefault_trace_bpf *bpf)
{
	const struct hook *faults = found->active[METRIC_FAULTS];
	int err = fallback_select(&fallback, found, bpf->obj);
	struct kvm_btf kvm;

	if (!err)
		err = kvm_btf_load(&kvm);
	if (err)
		return err;
	results_find(kvm.btf, (__u8 *)bpf->rodata->results);
	kvm_btf_free(&kvm);

	/*
	 * tdp_fault_end also sees pages that are mapped ahead: with both programs they would count
	 * twice.
	 */
	if (faults && faults->also.target)
		err = bpf_program__set_autoload(bpf->progs.prefetch_page, false);
	return err;
}
