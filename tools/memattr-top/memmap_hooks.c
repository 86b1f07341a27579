// SPDX-License-Identifier: GPL-2.0
/* The events of this kernel that the map of a VM's memory comes from. */
#include "memmap.h"

#include "figures.h"

static const struct hook hooks[] = {
	{
		.metric = MAP_CONVERSIONS, .measures = MEASURE_MAP_CONVERSIONS,
		.site = { HOOK_TP_BTF, "kvm_memattr_convert" }, .programs = { "map_convert" },
	}, {
		/* Linux 6.8 */
		.metric = MAP_CONVERSIONS, .measures = MEASURE_MAP_CONVERSIONS,
		.site = { HOOK_FENTRY, "kvm_arch_post_set_memory_attributes" }, .programs = { "map_convert_stock" },
		.note = "counts once per memslot, with all that was asked for",
	}, {
		.metric = MAP_FAULTS, .measures = MEASURE_MAP_FAULTS,
		.site = { HOOK_TP_BTF, "kvm_stage2_fault" }, .programs = { "map_fault" },
	}, {
		.metric = MAP_FAULTS, .measures = MEASURE_MAP_FAULTS,
		.site = { HOOK_TP_BTF, "kvm_page_fault" }, .programs = { "map_fault_stock" },
		.note = "also faults that map nothing",
	},
};

static const char * const metric_names[] = {
	[MAP_CONVERSIONS] = "map changes",
	[MAP_FAULTS] = "map faults",
};

const struct fallback map_fallback = {
	.hooks = hooks,
	.count = sizeof(hooks) / sizeof(*hooks),
	.metrics = metric_names,
	.vital = MAP_METRICS,
};
