// SPDX-License-Identifier: GPL-2.0
#include "hooks.h"

#include "figures.h"
#include "trial.h"

/* For each metric, the best hook comes first. The memattr series adds the tracepoints kvm_memattr_*. */
static const struct hook hooks[] = {
	{
		.metric = METRIC_EXITS, .measures = MEASURE_EXITS | MEASURE_VCPUS,
		.site = { HOOK_TP_VENDOR, "kvm_exit" }, .programs = { "count_exit" },
	}, {
		.metric = METRIC_CONVERSIONS, .measures = MEASURE_CONVERSIONS | MEASURE_REQUESTS,
		.site = { HOOK_TP_BTF, "kvm_memattr_convert" }, .programs = { "count_convert" },
	}, {
		/* Linux 6.8 */
		.metric = METRIC_CONVERSIONS, .measures = MEASURE_CONVERSIONS,
		.site = { HOOK_FENTRY, "kvm_arch_post_set_memory_attributes" },
		.programs = { "count_convert_stock" },
		.note = "counts once per memslot; effective pages are an upper bound",
	}, {
		/* KVM counts the pages itself. */
		.metric = METRIC_ZAPS, .measures = MEASURE_ZAP_COUNT | MEASURE_ZAP_NS,
		.site = { HOOK_TP_BTF, "kvm_memattr_zap" }, .programs = { "count_zap" },
	}, {
		/* Linux 6.8 */
		.metric = METRIC_ZAPS, .measures = MEASURE_ZAPS | MEASURE_ZAP_COUNT,
		.site = { HOOK_FENTRY, "kvm_arch_pre_set_memory_attributes" },
		.programs = { "count_zap_stock" },
	}, {
		.metric = METRIC_EXIT_NS, .measures = MEASURE_EXIT_NS,
		.site = { HOOK_TP_VENDOR, "kvm_entry" }, .programs = { "end_exit" },
	}, {
		.metric = METRIC_USER_EXITS, .measures = MEASURE_USER_EXITS,
		.site = { HOOK_FEXIT, "kvm_arch_vcpu_ioctl_run" }, .programs = { "count_user_exit" },
	}, {
		.metric = METRIC_FAULTS, .measures = MEASURE_FAULTS | MEASURE_LATE,
		.site = { HOOK_TP_BTF, "kvm_stage2_fault" }, .programs = { "stage2_fault" },
	}, {
		/* up to Linux 7.2 */
		.metric = METRIC_FAULTS, .measures = MEASURE_FAULTS,
		.site = { HOOK_FEXIT, "kvm_tdp_page_fault" }, .also = { HOOK_FENTRY, "kvm_tdp_page_fault" },
		.trial = trial_fault, .programs = { "tdp_fault_begin", "tdp_fault_end" },
		.note = "the latency includes the hook's own cost",
	}, {
		.metric = METRIC_AHEAD, .measures = MEASURE_AHEAD,
		.site = { HOOK_TP_BTF, "kvm_prefault_map" }, .programs = { "prefault_map" },
	}, {
		.metric = METRIC_WAYS, .measures = MEASURE_WAYS,
		.site = { HOOK_TP_BTF, "kvm_memattr_convert" }, .programs = { "count_convert" },
	}, {
		.metric = METRIC_VM_END,
		.site = { HOOK_FENTRY, "kvm_arch_destroy_vm" }, .programs = { "end_vm" },
	},
};

static const char * const metric_names[] = {
	[METRIC_EXITS] = "exits",
	[METRIC_CONVERSIONS] = "conversions",
	[METRIC_ZAPS] = "zaps",
	[METRIC_EXIT_NS] = "time in exits",
	[METRIC_USER_EXITS] = "user exits",
	[METRIC_FAULTS] = "faults",
	[METRIC_AHEAD] = "mapped ahead",
	[METRIC_WAYS] = "reversals",
	[METRIC_VM_END] = "VM end",
};

_Static_assert(METRIC_COUNT <= METRICS_MAX, "struct hooks has room for them");

const struct fallback fallback = {
	.hooks = hooks,
	.count = sizeof(hooks) / sizeof(*hooks),
	.metrics = metric_names,
	.vital = METRIC_ZAPS + 1,
};
