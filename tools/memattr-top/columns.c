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
void fill_figures(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long part)
{
	const struct top_vm *now = (const void *)vm, *then = (const void *)snapshot_vm(pair->before, vm->birth);
	struct figures *f = figures;
	uint64_t *numbers = (uint64_t *)&f->numbers;

	(void)part;
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

/* Columns that two views have. */
#define TO_PRIVATE \
	{ "to_priv", ">PRIV", NUMBER(to_private), .needs = MEASURE_CONVERSIONS, \
	  .help = "conversions to private that changed something" }
#define TO_SHARED \
	{ "to_shared", ">SHRD", NUMBER(to_shared), .needs = MEASURE_CONVERSIONS, .help = "the same, to shared" }
#define EFFECTIVE \
	{ "eff_pg", "EFFPG", NUMBER(effective_pages), .needs = MEASURE_CONVERSIONS, \
	  .help = "pages that conversions changed" }
#define REQUESTED \
	{ "req_pg", "REQPG", NUMBER(requested_pages), .needs = MEASURE_REQUESTS, \
	  .help = "pages asked for, also by refused and no-op requests" }
#define DENIED \
	{ "denied", "DENY", NUMBER(denied), .needs = MEASURE_REQUESTS, .warns = true, \
	  .help = "requests that a policy refused" }
#define HELD \
	{ "held", "HELD", NUMBER(held), .needs = MEASURE_REQUESTS, .warns = true, \
	  .help = "conversions in place that failed because a page was in use" }
#define FAILED \
	{ "failed", "FAIL", NUMBER(failed), .needs = MEASURE_REQUESTS, .warns = true, \
	  .help = "requests that failed, held ones too" }
#define MEDIAN \
	{ "p50", "P50", PERCENTILE(figures, latency, 50), .needs = MEASURE_REQUESTS, \
	  .help = "median latency of a conversion in KVM" }
#define TAIL \
	{ "p99", "P99", PERCENTILE(figures, latency, 99), .needs = MEASURE_REQUESTS, .help = "99th percentile of it" }
#define POLICY \
	{ "policy", "POLICY", UNIT_TEXT, .from = FROM_TEXT, .text = policy_text, .width = 8, \
	  .help = "the policy that governs the VM" }

static const struct column vms[] = {
	COLUMN_PID,
	COLUMN_NAME(9),
	{ "exits", "EXITS", NUMBER(exits), .needs = MEASURE_EXITS, .help = "VM exits" },
	COLUMN_TREND("exits of the last 120 intervals, each VM by its own scale"),
	TO_PRIVATE,
	TO_SHARED,
	EFFECTIVE,
	{ "zap_pg", "ZAPPG", NUMBER(zap_pages), .needs = MEASURE_ZAPS,
	  .help = "pages unmapped from the guest for conversions" },
	DENIED,
	MEDIAN,
	TAIL,
	POLICY,
	REQUESTED,
	HELD,
	FAILED,
	{ "left", "LEFT", UNIT_TEXT, .from = FROM_TEXT, .text = left_text, .width = 10,
	  .help = "why the policy before left, l shows more" },
};

static const struct column conversions[] = {
	COLUMN_PID,
	COLUMN_NAME(9),
	REQUESTED,
	COLUMN_TREND("requested pages of the last 120 intervals, each VM by its own scale"),
	EFFECTIVE,
	TO_PRIVATE,
	TO_SHARED,
	{ "noop", "NOOP", NUMBER(noop), .needs = MEASURE_REQUESTS,
	  .help = "requests that succeeded and changed nothing: all pages were so already" },
	DENIED,
	POLICY,
	HELD,
	FAILED,
	MEDIAN,
	TAIL,
};

#define TABLE(of) \
	.columns = of, .column_count = sizeof(of) / sizeof(*of), .fixed = 2, .sort = 2, \
	.figures_size = sizeof(struct figures), .figures = fill_figures

static uint64_t exits_of(const struct snapshot_vm *vm)
{
	return ((const struct top_vm *)vm)->numbers.exits;
}

static uint64_t requests_of(const struct snapshot_vm *vm)
{
	return ((const struct top_vm *)vm)->numbers.requested_pages;
}

const struct sheet sheets[] = {
	[SHEET_VMS] = {
		.word = "vms", .noun = "VM", .help = "what KVM does for each VM", .enter = SHEET_CONVERSIONS,
		TABLE(vms), .trend = exits_of, .measures = ~0U, .metrics = 1 << METRIC_EXITS | 1 << METRIC_CONVERSIONS | 1 << METRIC_ZAPS,
	},
	[SHEET_CONVERSIONS] = {
		.word = "conversions", .noun = "VM", .subject = "conversions",
		.help = "what was asked for, and what came of it",
		TABLE(conversions), .trend = requests_of, .measures = MEASURE_CONVERSIONS | MEASURE_REQUESTS | MEASURE_POLICY,
		.metrics = 1 << METRIC_CONVERSIONS,
	},
};

const char *const measures[] = { "exits", "conversions", "requests", "zaps", "policy", NULL };
