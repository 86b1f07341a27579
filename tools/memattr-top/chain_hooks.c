// SPDX-License-Identifier: GPL-2.0
/* The events of this kernel that chains come from. The memattr series adds kvm_memattr_* and kvm_stage2_fault. */
#include "chain.h"

#include "figures.h"

static const struct hook hooks[] = {
	{
		.metric = CHAIN_EXITS, .measures = MEASURE_CHAIN_EXITS,
		.site = { HOOK_FEXIT, "kvm_arch_vcpu_ioctl_run" }, .programs = { "count_user_exit" },
	}, {
		.metric = CHAIN_EXITS, .measures = MEASURE_CHAIN_EXITS,
		.site = { HOOK_TP_BTF, "kvm_userspace_exit" }, .programs = { "chain_exit_of_thread" },
		.note = "joined by thread, not by gfn",
	}, {
		.metric = CHAIN_CONVERSIONS, .measures = MEASURE_CHAINS,
		.site = { HOOK_TP_BTF, "kvm_memattr_convert" }, .programs = { "count_convert" },
	}, {
		.metric = CHAIN_ZAPS,
		.site = { HOOK_TP_BTF, "kvm_memattr_zap" }, .programs = { "count_zap" },
	}, {
		.metric = CHAIN_FAULTS, .measures = MEASURE_CHAIN_FAULTS,
		.site = { HOOK_TP_BTF, "kvm_stage2_fault" }, .programs = { "stage2_fault" },
	},
};

static const char * const metric_names[] = {
	[CHAIN_EXITS] = "chain exits",
	[CHAIN_CONVERSIONS] = "chains",
	[CHAIN_ZAPS] = "chain zaps",
	[CHAIN_FAULTS] = "chain faults",
};

_Static_assert(CHAIN_METRICS <= METRICS_MAX, "struct hooks has room for them");

const struct fallback chain_fallback = {
	.hooks = hooks,
	.count = sizeof(hooks) / sizeof(*hooks),
	.metrics = metric_names,
	.vital = CHAIN_METRICS,
};
