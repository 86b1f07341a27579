// SPDX-License-Identifier: GPL-2.0
#include "figures.h"

#include "rows.h"

#define FIELD_NUMBER(member)	FIELD(FIELD_UNSIGNED, struct top_vm, #member, numbers.member)
#define FIELD_POLICY(member)	FIELD(FIELD_UNSIGNED, struct top_vm, "policy_" #member, policy_totals.member)

static const struct field vm_fields[] = {
	SNAPSHOT_VM_FIELDS(struct top_vm),
	FIELD(FIELD_TEXT, struct top_vm, "policy", policy),
	FIELD_TO(1, struct top_vm, "policy_known", policy_known),
	FIELD_TO(1, struct top_vm, "ejected", ejected),
	FIELD(FIELD_TEXT, struct top_vm, "left", left),
	FIELD(FIELD_TEXT, struct top_vm, "left_text", left_text),
	FIELD_TO(1, struct top_vm, "policy_counted", policy_counted),
	FIELD_POLICY(calls),
	FIELD_POLICY(ns),
	FIELD_POLICY(refused),
	FIELD_POLICY(host_refused),
	FIELD_POLICY(widened_pages),
	FIELD_POLICY(ejections),
	FIELD(FIELD_UNSIGNED, struct top_vm, "ejected_at", ejected_at),
	FIELD_NUMBER(exits),
	FIELD_NUMBER(to_private),
	FIELD_NUMBER(to_shared),
	FIELD_NUMBER(noop),
	FIELD_NUMBER(denied),
	FIELD_NUMBER(failed),
	FIELD_NUMBER(held),
	FIELD_NUMBER(requested_pages),
	FIELD_NUMBER(effective_pages),
	FIELD_NUMBER(zap_pages),
	FIELD_NUMBER(latency_ns),
	FIELD(FIELD_HISTOGRAM, struct top_vm, "latency", latency),
};

const struct list_type top_lists[] = {
	{ "vm", sizeof(struct top_vm), 1 << 16, vm_fields, sizeof(vm_fields) / sizeof(*vm_fields),
	  snapshot_compare_vms, false, false },
};

/* A VM that was not there before, or had no event yet, had counted nothing: its counts start at 0. */
void fill_figures(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long vcpu)
{
	const struct top_vm *now = (const void *)vm, *then = (const void *)snapshot_vm(pair->before, vm->birth);
	struct figures *f = figures;
	uint64_t *numbers = (uint64_t *)&f->numbers;

	(void)vcpu;
	f->numbers = now->numbers;
	for (size_t i = 0; then && i < sizeof(f->numbers) / sizeof(*numbers); i++)
		numbers[i] -= ((const uint64_t *)&then->numbers)[i];
	latency_add(&f->latency, &now->latency, then ? &then->latency : NULL);
}

static const char *policy_text(const struct row *row)
{
	const struct top_vm *vm = (const void *)row->vm;

	if (!(row->pair->now->measured & MEASURE_POLICY))
		return "n/a";
	if (!vm->policy_known)
		return "-";
	if (vm->policy[0])
		return vm->policy;
	return vm->ejected ? "ejected" : "none";
}

static const char *left_text(const struct row *row)
{
	const struct top_vm *vm = (const void *)row->vm;

	if (!(row->pair->now->measured & MEASURE_POLICY))
		return "n/a";
	return vm->left[0] ? vm->left : "-";
}

#define NUMBER(member)	COUNT(figures, numbers.member)

const struct column columns[] = {
	COLUMN_PID,
	COLUMN_NAME(9),
	{ "exits", "EXITS", NUMBER(exits), .needs = MEASURE_EXITS, .help = "VM exits" },
	{ "to_priv", ">PRIV", NUMBER(to_private), .needs = MEASURE_CONVERSIONS,
	  .help = "conversions to private that changed something" },
	{ "to_shared", ">SHRD", NUMBER(to_shared), .needs = MEASURE_CONVERSIONS, .help = "the same, to shared" },
	{ "eff_pg", "EFFPG", NUMBER(effective_pages), .needs = MEASURE_CONVERSIONS,
	  .help = "pages that conversions changed" },
	{ "req_pg", "REQPG", NUMBER(requested_pages), .needs = MEASURE_REQUESTS,
	  .help = "pages asked for, also by refused and no-op requests" },
	{ "zap_pg", "ZAPPG", NUMBER(zap_pages), .needs = MEASURE_ZAPS,
	  .help = "pages unmapped from the guest for conversions" },
	{ "denied", "DENY", NUMBER(denied), .needs = MEASURE_REQUESTS, .warns = true,
	  .help = "requests that a policy refused" },
	{ "p50", "P50", PERCENTILE(figures, latency, 50), .needs = MEASURE_REQUESTS,
	  .help = "median latency of a conversion in KVM" },
	{ "p99", "P99", PERCENTILE(figures, latency, 99), .needs = MEASURE_REQUESTS,
	  .help = "99th percentile of it" },
	{ "policy", "POLICY", UNIT_TEXT, .from = FROM_TEXT, .text = policy_text, .width = 8,
	  .help = "the policy that governs the VM" },
	{ "held", "HELD", NUMBER(held), .needs = MEASURE_REQUESTS, .warns = true,
	  .help = "conversions in place that failed because a page was in use" },
	{ "failed", "FAIL", NUMBER(failed), .needs = MEASURE_REQUESTS, .warns = true, .help = "requests that failed, held ones too" },
	{ "left", "LEFT", UNIT_TEXT, .from = FROM_TEXT, .text = left_text, .width = 10,
	  .help = "why the policy before left, l shows more" },
};

const int column_count = sizeof(columns) / sizeof(*columns);
