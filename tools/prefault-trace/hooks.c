// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "hooks.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * Of each metric the best first. Three tracepoints come with the memattr kernel series. KVM has
 * KVM_PRE_FAULT_MEMORY since Linux 6.11; kvm_tdp_page_fault can be traced up to 7.2.
 */
static const struct hook ladder[] = {
	{
		.metric = METRIC_FAULTS, .measures = MEASURE_FAULTS | MEASURE_FAULT_ENDS,
		.site = { HOOK_TP_BTF, "kvm_stage2_fault" },
		.programs = { "stage2_fault" },
	}, {
		.metric = METRIC_FAULTS, .measures = MEASURE_FAULTS | MEASURE_FAULT_ENDS,
		.both_ends = true,
		.site = { HOOK_FEXIT, "kvm_tdp_page_fault" },
		.programs = { "tdp_fault_begin", "tdp_fault_end" },
		.note = "latency has the hook's own cost in it",
	}, {
		.metric = METRIC_FAULTS, .measures = MEASURE_FAULTS,
		.site = { HOOK_TP_BTF, "kvm_page_fault" },
		.programs = { "page_fault" },
		.note = "counts what KVM is asked to resolve: MMIO too, and nothing of what comes of it",
	}, {
		.metric = METRIC_CALLS, .measures = MEASURE_CALLS,
		.site = { HOOK_TP_BTF, "kvm_pre_fault_memory" },
		.programs = { "pre_fault_memory" },
	}, {
		.metric = METRIC_CALLS, .measures = MEASURE_CALLS, .both_ends = true,
		.site = { HOOK_FEXIT, "kvm_vcpu_ioctl" }, .needs = "kvm_arch_vcpu_pre_fault_memory",
		.programs = { "vcpu_ioctl_begin", "vcpu_ioctl_end" },
		.note = "waiting for the vCPU is part of the latency",
	}, {
		.metric = METRIC_BATCHES, .measures = MEASURE_BATCHES,
		.site = { HOOK_TP_BTF, "kvm_prefault_batch" },
		.programs = { "prefault_batch" },
	}, {
		.metric = METRIC_SINGLES, .measures = MEASURE_SINGLES,
		.site = { HOOK_FEXIT, "kvm_tdp_page_fault" }, .needs = "kvm_arch_vcpu_pre_fault_memory",
		.programs = { "prefetch_page" },
	}, {
		.metric = METRIC_VM_END,
		.site = { HOOK_FENTRY, "kvm_arch_destroy_vm" },
		.programs = { "end_vm" },
	},
};

static const char * const metric_names[] = {
	[METRIC_FAULTS] = "faults",
	[METRIC_CALLS] = "pre-faults",
	[METRIC_BATCHES] = "batches",
	[METRIC_SINGLES] = "single pages",
	[METRIC_VM_END] = "VM end",
};

static int probe(const struct hook_prober *prober, const struct hook *hook)
{
	const struct hook_site begin = { HOOK_FENTRY, hook->site.target };
	const struct hook_site needed = { HOOK_FENTRY, hook->needs };
	int err;

	if (hook->needs && !hook_exists(prober, &needed))
		return -ENOENT;
	err = hook_probe(prober, &hook->site);
	if (!err && hook->both_ends)
		err = hook_probe(prober, &begin);
	return err;
}

int hooks_probe(struct hooks *hooks)
{
	const struct hook_site batch = { HOOK_TP_BTF, "kvm_prefault_batch" };
	struct hook_prober prober;
	int err;

	*hooks = (struct hooks){};
	err = hook_prober_open(&prober);
	if (err)
		return err;
	hooks->has_batches = hook_exists(&prober, &batch);
	for (size_t i = 0; i < sizeof(ladder) / sizeof(*ladder); i++) {
		const struct hook *hook = &ladder[i];

		if (hooks->active[hook->metric])
			continue;
		hooks->errors[hook->metric] = probe(&prober, hook);
		if (!hooks->errors[hook->metric])
			hooks->active[hook->metric] = hook;
	}
	hook_prober_close(&prober);
	return 0;
}

/* tdp_fault_end sees the pages that are mapped one by one as well: two programs would count them twice. */
static bool is_loaded(const struct hooks *hooks, const struct hook *hook)
{
	const struct hook *faults = hooks->active[METRIC_FAULTS];

	if (hook->metric == METRIC_SINGLES && faults && faults->both_ends)
		return false;
	return hooks->active[hook->metric] == hook;
}

int hooks_select(const struct hooks *hooks, struct bpf_object *object)
{
	for (size_t i = 0; i < sizeof(ladder) / sizeof(*ladder); i++) {
		const struct hook *hook = &ladder[i];

		for (int k = 0; k < HOOK_PROGRAMS && hook->programs[k]; k++) {
			struct bpf_program *program =
				bpf_object__find_program_by_name(object, hook->programs[k]);

			if (!program)
				return -ENOENT;
			bpf_program__set_autoload(program, is_loaded(hooks, hook));
		}
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
		if (metric == METRIC_BATCHES && !hooks->has_batches)
			snprintf(text->note, sizeof(text->note), "this kernel maps page by page");
		else
			hook_error_text(hooks->errors[metric], text->note, sizeof(text->note));
		return;
	}
	hook_name(&hook->site, text->hook, sizeof(text->hook));
	snprintf(text->note, sizeof(text->note), "%s", hook->note ?: "");
	/* Up to 6.13 KVM sets such an entry anew, without the Dirty bit, and calls it fixed. */
	if (metric == METRIC_SINGLES && !hooks->has_batches)
		snprintf(text->note, sizeof(text->note), "a page that was mapped before may count as new");
}

unsigned int hooks_measures(const struct hooks *hooks)
{
	unsigned int measures = 0;

	for (int metric = 0; metric < METRIC_COUNT; metric++)
		if (hooks->active[metric])
			measures |= hooks->active[metric]->measures;
	/* Nothing is missed of what there is not. */
	if (measures && !hooks->has_batches)
		measures |= MEASURE_BATCHES;
	return measures;
}
