// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "hooks.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>

/* Of each metric the best first. The tracepoints kvm_memattr_* come with the memattr kernel series. */
static const struct hook ladder[] = {
	{
		.metric = METRIC_EXITS, .measures = MEASURE_EXITS,
		.site = { HOOK_TP_BTF, "kvm_exit" }, .program = "count_exit",
	}, {
		.metric = METRIC_CONVERSIONS, .measures = MEASURE_CONVERSIONS | MEASURE_REQUESTS,
		.site = { HOOK_TP_BTF, "kvm_memattr_convert" }, .program = "count_convert",
	}, {
		/* Linux 6.8 */
		.metric = METRIC_CONVERSIONS, .measures = MEASURE_CONVERSIONS,
		.site = { HOOK_FENTRY, "kvm_arch_post_set_memory_attributes" },
		.program = "count_convert_stock",
		.note = "counts once per memslot; effective pages are an upper bound",
	}, {
		.metric = METRIC_ZAPS, .measures = MEASURE_ZAPS,
		.site = { HOOK_TP_BTF, "kvm_memattr_zap" }, .program = "count_zap",
	}, {
		/* Linux 6.8 */
		.metric = METRIC_ZAPS, .measures = MEASURE_ZAPS,
		.site = { HOOK_FENTRY, "kvm_arch_pre_set_memory_attributes" },
		.program = "count_zap_stock",
	}, {
		.metric = METRIC_VM_END,
		.site = { HOOK_FENTRY, "kvm_arch_destroy_vm" }, .program = "end_vm",
	},
};

static const char * const metric_names[] = {
	[METRIC_EXITS] = "exits",
	[METRIC_CONVERSIONS] = "conversions",
	[METRIC_ZAPS] = "zaps",
	[METRIC_VM_END] = "VM end",
};

int hooks_probe(struct hooks *hooks)
{
	struct hook_prober prober;
	int err;

	*hooks = (struct hooks){};
	err = hook_prober_open(&prober);
	if (err)
		return err;
	for (size_t i = 0; i < sizeof(ladder) / sizeof(*ladder); i++) {
		const struct hook *hook = &ladder[i];

		if (hooks->active[hook->metric])
			continue;
		hooks->errors[hook->metric] = hook_probe(&prober, &hook->site);
		if (!hooks->errors[hook->metric])
			hooks->active[hook->metric] = hook;
	}
	hook_prober_close(&prober);
	return 0;
}

int hooks_select(const struct hooks *hooks, struct bpf_object *object)
{
	for (size_t i = 0; i < sizeof(ladder) / sizeof(*ladder); i++) {
		struct bpf_program *program =
			bpf_object__find_program_by_name(object, ladder[i].program);

		if (!program)
			return -ENOENT;
		bpf_program__set_autoload(program, hooks->active[ladder[i].metric] == &ladder[i]);
	}
	return 0;
}

void hooks_describe(const struct hooks *hooks, enum metric metric, struct snapshot_hook *text)
{
	const struct hook *hook = hooks->active[metric];

	*text = (struct snapshot_hook){};
	snprintf(text->metric, sizeof(text->metric), "%s", metric_names[metric]);
	if (!hook) {
		snprintf(text->hook, sizeof(text->hook), "n/a");
		hook_error_text(hooks->errors[metric], text->note, sizeof(text->note));
		return;
	}
	hook_name(&hook->site, text->hook, sizeof(text->hook));
	snprintf(text->note, sizeof(text->note), "%s", hook->note ?: "");
}

unsigned int hooks_measures(const struct hooks *hooks)
{
	unsigned int measures = 0;

	for (int metric = 0; metric < METRIC_COUNT; metric++)
		if (hooks->active[metric])
			measures |= hooks->active[metric]->measures;
	return measures;
}
