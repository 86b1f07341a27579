// SPDX-License-Identifier: GPL-2.0
#include "figures.h"

#include "looks.h"
#include "memmap_view.h"
#include "rows.h"

#define PAGE_BYTES	4096

#define FIELD_NUMBER(member)	FIELD(FIELD_UNSIGNED, struct top_vm, #member, numbers.member)

static const struct field vm_fields[] = {
	SNAPSHOT_VM_FIELDS(struct top_vm),
	FIELD(FIELD_TEXT, struct top_vm, "policy", policy),
	FIELD_TO(1, struct top_vm, "policy_known", policy_known),
	FIELD_TO(1, struct top_vm, "ejected", ejected),
	FIELD(FIELD_TEXT, struct top_vm, "left", left),
	FIELD(FIELD_TEXT, struct top_vm, "left_text", left_text),
	FIELD_TO(1, struct top_vm, "policy_counted", policy_counted),
	FIELD(FIELD_UNSIGNED, struct top_vm, "all_ejections", ejections),
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
	FIELD_NUMBER(by_ioctl),
	FIELD_NUMBER(by_gmem),
	FIELD_NUMBER(undone),
	FIELD_NUMBER(zap_pages),
	FIELD(FIELD_HISTOGRAM, struct top_vm, "latency", latency),
	FIELD_NUMBER(latency_ns),
	FIELD(FIELD_HISTOGRAM, struct top_vm, "zap_latency", zap_latency),
	FIELD_NUMBER(zaps),
	FIELD_NUMBER(zap_ns),
	FIELD_NUMBER(huge_lost),
	FIELD_NUMBER(huge_mapped),
	FIELD_NUMBER(widened_pages),
	FIELD_NUMBER(policy_calls),
	FIELD_NUMBER(policy_ns),
	FIELD_NUMBER(refused),
	FIELD_NUMBER(host_refused),
	FIELD_NUMBER(ejections),
	FIELD_NUMBER(prefaulted_pages),
	FIELD_NUMBER(prefaulted_unused),
	FIELD_NUMBER(gmem_huge_allocated),
	FIELD_NUMBER(gmem_huge_refused),
	FIELD_NUMBER(gmem_huge_declined),
	FIELD_NUMBER(gmem_huge_splits),
	FIELD(FIELD_UNSIGNED, struct top_vm, "budget_us", budget_us),
	FIELD(FIELD_UNSIGNED, struct top_vm, "huge_pages", huge_pages),
	FIELD(FIELD_SIGNED, struct top_vm, "private_pages", private_pages),
	FIELD(FIELD_SIGNED, struct top_vm, "gmem_pages", gmem_pages),
	FIELD(FIELD_SIGNED, struct top_vm, "gmem_private_pages", gmem_private_pages),
};

#define FIELD_PART(member)	FIELD(FIELD_UNSIGNED, struct top_part, #member, numbers.member)

static const struct field part_fields[] = {
	FIELD(FIELD_UNSIGNED, struct top_part, "birth", birth),
	FIELD_TO(PART_KINDS - 1, struct top_part, "kind", kind),
	FIELD(FIELD_SIGNED, struct top_part, "part", part),
	FIELD(FIELD_HISTOGRAM, struct top_part, "latency", latency),
	FIELD_PART(count),
	FIELD_PART(ns),
	FIELD_PART(late),
	FIELD_PART(ahead_pages),
	FIELD_PART(ahead_new_pages),
};

const struct list_type top_lists[LIST_COUNT] = {
	[LIST_VMS] = { "vm", sizeof(struct top_vm), 1 << 16, vm_fields, sizeof(vm_fields) / sizeof(*vm_fields),
		       snapshot_compare_vms, false, false },
	[LIST_PARTS] = { "part", sizeof(struct top_part), 1 << 20, part_fields,
			 sizeof(part_fields) / sizeof(*part_fields), compare_parts, true, false },
	[LIST_CHAINS] = CHAIN_ITEM_LIST,
	[LIST_CHAIN_WORSTS] = CHAIN_WORST_LIST,
	[LIST_RUNS] = MAP_RUN_LIST,
	[LIST_BLOCKS] = MAP_BLOCK_LIST,
};

static void fill_policy(struct figures *f, const struct top_vm *vm)
{
	f->call_ns.kind = f->budget_percent.kind = CELL_NO_SAMPLE;
	if (!f->numbers.policy_calls)
		return;
	f->call_ns = (struct cell){ CELL_NUMBER, (double)f->numbers.policy_ns / f->numbers.policy_calls };
	if (vm->budget_us)
		f->budget_percent = (struct cell){ CELL_NUMBER, f->call_ns.number / (10.0 * vm->budget_us) };
}

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
	latency_add(&f->zap_latency, &now->zap_latency, then ? &then->zap_latency : NULL);
	fill_policy(f, now);
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

static bool huge_pages(const struct row *row, double *number)
{
	*number = ((const struct top_vm *)row->vm)->huge_pages;
	return true;
}

/* A guest_memfd can have been private from the beginning: then conversions do not tell. */
static bool private_pages(const struct row *row, double *number)
{
	*number = ((const struct top_vm *)row->vm)->private_pages;
	return *number >= 0;
}

static bool gmem_bytes(const struct row *row, double *number)
{
	int64_t pages = ((const struct top_vm *)row->vm)->gmem_pages;

	*number = (double)pages * PAGE_BYTES;
	return pages >= 0;
}

static bool gmem_private_bytes(const struct row *row, double *number)
{
	int64_t pages = ((const struct top_vm *)row->vm)->gmem_private_pages;

	*number = (double)pages * PAGE_BYTES;
	return pages >= 0;
}

static bool part_number(const struct row *row, double *number)
{
	*number = row->part;
	return true;
}

static const char *reason_text(const struct row *row)
{
	return exit_name(row->part);
}

static const char *alias_text(const struct row *row)
{
	return alias_name(row->part / LEVEL_COUNT);
}

static const char *level_text(const struct row *row)
{
	return level_name(row->part % LEVEL_COUNT);
}

#define NUMBER(member)	COUNT(figures, numbers.member)
#define TIME(figures, member) \
	.unit = UNIT_NS, .from = FROM_COUNT, .at = offsetof(struct figures, numbers.member)

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

#define ZAPPED \
	{ "zap_pg", "ZAPPG", NUMBER(zap_pages), .needs = MEASURE_ZAPS, \
	  .help = "pages unmapped from the guest for conversions" }
#define WIDENED \
	{ "widen_pg", "WIDEN", NUMBER(widened_pages), .needs = MEASURE_STATS, \
	  .help = "of the unmapped pages, those that a policy added" }
#define LEFT \
	{ "left", "LEFT", UNIT_TEXT, .from = FROM_TEXT, .text = left_text, .width = 10, \
	  .help = "why the policy before left, l shows more" }

/* Only all of these tell which huge pages come and go. */
#define HUGE_CHANGES (MEASURE_HUGE | MEASURE_FAULTS | MEASURE_AHEAD)

static const struct column vms[] = {
	COLUMN_PID,
	COLUMN_NAME(9),
	{ "exits", "EXITS", NUMBER(exits), .needs = MEASURE_EXITS, .help = "VM exits" },
	COLUMN_TREND("exits of the last 120 intervals, each VM by its own scale"),
	{ "gmem", "GMEM", UNIT_BYTES, .from = FROM_ROW, .number = gmem_bytes, .needs = MEASURE_GMEM,
	  .help = "memory that its guest_memfds hold, which RSS does not show" },
	{ "gmem_priv", "GPRIV", UNIT_BYTES, .from = FROM_ROW, .number = gmem_private_bytes,
	  .needs = MEASURE_GMEM | MEASURE_STATS, .help = "of this memory, what is private; at most" },
	TO_PRIVATE,
	TO_SHARED,
	DENIED,
	MEDIAN,
	TAIL,
	POLICY,
	EFFECTIVE,
	ZAPPED,
	REQUESTED,
	HELD,
	FAILED,
	LEFT,
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
	{ "undone", "UNDO", NUMBER(undone), .needs = MEASURE_WAYS,
	  .help = "conversions that took back the last one of the same range, of this interval or the last" },
	DENIED,
	POLICY,
	HELD,
	FAILED,
	{ "by_ioctl", "IOCTL", NUMBER(by_ioctl), .needs = MEASURE_WAYS,
	  .help = "conversions by an ioctl of the VM that changed something" },
	{ "by_gmem", "INPLC", NUMBER(by_gmem), .needs = MEASURE_WAYS,
	  .help = "the same, in place, by an ioctl of a guest_memfd" },
	MEDIAN,
	TAIL,
	{ "priv_pg", "PRVPG", UNIT_LEVEL, .from = FROM_ROW, .number = private_pages, .needs = MEASURE_STATS,
	  .help = "pages that are private now, because conversions made them so" },
};

static const struct column zaps[] = {
	COLUMN_PID,
	COLUMN_NAME(9),
	{ "zaps", "ZAPS", NUMBER(zaps), .needs = MEASURE_ZAP_COUNT, .help = "ranges that were unmapped for conversions" },
	ZAPPED,
	WIDENED,
	{ "zap_time", "TIME", TIME(figures, zap_ns), .needs = MEASURE_ZAP_NS,
	  .help = "time in zaps, per second" },
	{ "zap_p50", "P50", PERCENTILE(figures, zap_latency, 50), .needs = MEASURE_ZAP_NS,
	  .help = "median latency of a zap" },
	{ "zap_p99", "P99", PERCENTILE(figures, zap_latency, 99), .needs = MEASURE_ZAP_NS,
	  .help = "99th percentile of it" },
	{ "huge", "HUGE", UNIT_LEVEL, .from = FROM_ROW, .number = huge_pages, .needs = MEASURE_HUGE,
	  .help = "huge pages that are mapped now" },
	{ "huge_lost", "HLOST", NUMBER(huge_lost), .needs = HUGE_CHANGES, .warns = true,
	  .help = "huge pages that are no longer mapped, for whatever reason" },
	{ "huge_new", "HNEW", NUMBER(huge_mapped), .needs = HUGE_CHANGES,
	  .help = "huge pages mapped, regained ones too" },
	{ "split", "SPLIT", NUMBER(gmem_huge_splits), .needs = MEASURE_GMEM_HUGE,
	  .help = "huge pages of guest_memfd that lost a part, and stayed mapped by small pages" },
	{ "blocks", "BLOCK", NUMBER(gmem_huge_allocated), .needs = MEASURE_GMEM_HUGE,
	  .help = "2 MiB of guest_memfd that are contiguous, so that they can be huge" },
	{ "no_block", "NOBLK", NUMBER(gmem_huge_refused), .needs = MEASURE_GMEM_HUGE, .warns = true,
	  .help = "2 MiB that cannot, because there was no contiguous memory" },
	{ "declined", "DECLN", NUMBER(gmem_huge_declined), .needs = MEASURE_GMEM_HUGE,
	  .help = "2 MiB that cannot, because the policy did not want them to" },
};

static const struct column policy[] = {
	COLUMN_PID,
	COLUMN_NAME(9),
	POLICY,
	{ "calls", "CALLS", NUMBER(policy_calls), .needs = MEASURE_STATS, .help = "decisions of policies" },
	{ "call_time", "CALL", CELL(figures, call_ns, UNIT_NS), .needs = MEASURE_STATS,
	  .help = "mean time of a decision" },
	{ "budget", "BUDG%", CELL(figures, budget_percent, UNIT_PERCENT), .needs = MEASURE_STATS | MEASURE_POLICY,
	  .help = "that time as a part of the policy's budget" },
	{ "refused", "REFUS", NUMBER(refused), .needs = MEASURE_STATS, .warns = true,
	  .help = "conversions that policies refused" },
	{ "host_refused", "HREF", NUMBER(host_refused), .needs = MEASURE_STATS, .warns = true,
	  .help = "the host's accesses to guest_memfds that policies refused" },
	WIDENED,
	{ "ahead_pg", "AHEAD", NUMBER(prefaulted_pages), .needs = MEASURE_STATS, .help = "pages mapped ahead" },
	{ "unused_pg", "UNUSE", NUMBER(prefaulted_unused), .needs = MEASURE_STATS,
	  .help = "of these, those that were zapped untouched" },
	{ "ejected", "EJECT", NUMBER(ejections), .needs = MEASURE_STATS, .warns = true,
	  .help = "policies that broke a rule" },
	LEFT,
};

#define PART(member)	COUNT(part_figures, numbers.member)
#define PART_P50(measure) \
	{ "p50", "P50", PERCENTILE(part_figures, latency, 50), .needs = (measure), .help = "median of it" }
#define PART_P99(measure) \
	{ "p99", "P99", PERCENTILE(part_figures, latency, 99), .needs = (measure), .help = "99th percentile of it" }
#define PART_SHARE(measure, words) \
	{ "share", "SHARE", CELL(part_figures, share, UNIT_PERCENT), .needs = (measure), .help = (words) }

static const struct column vcpus[] = {
	COLUMN_PID,
	COLUMN_NAME(14),
	{ "vcpu", "VCPU", UNIT_NAME, .from = FROM_ROW, .number = part_number, .width = 4 },
	{ "exits", "EXITS", PART(count), .needs = MEASURE_VCPUS, .help = "exits of the vCPU" },
	{ "time", "TIME", TIME(part_figures, ns), .needs = MEASURE_EXIT_NS,
	  .help = "time from exits until the vCPU ran again, per second" },
	PART_SHARE(MEASURE_EXIT_NS, "of that time of all the VM's vCPUs"),
	PART_P50(MEASURE_EXIT_NS),
	PART_P99(MEASURE_EXIT_NS),
};

static const struct column exits[] = {
	COLUMN_PID,
	COLUMN_NAME(14),
	{ "reason", "REASON", UNIT_TEXT, .from = FROM_TEXT, .text = reason_text, .width = 18,
	  .help = "the processor's; after user: why KVM_RUN returned" },
	{ "exits", "EXITS", PART(count), .needs = MEASURE_REASONS | MEASURE_USER_EXITS,
	  .help = "exits for this reason" },
	{ "time", "TIME", CELL(part_figures, time, UNIT_NS), .needs = MEASURE_EXIT_NS,
	  .help = "time from these exits until the vCPU ran again, per second" },
	PART_SHARE(MEASURE_EXIT_NS, "of that time for all reasons"),
	PART_P50(MEASURE_EXIT_NS),
	PART_P99(MEASURE_EXIT_NS),
};

static const struct column faults[] = {
	COLUMN_PID,
	COLUMN_NAME(14),
	{ "alias", "ALIAS", UNIT_TEXT, .from = FROM_TEXT, .text = alias_text, .width = 7,
	  .help = "which side was accessed: private or shared" },
	{ "level", "LEVEL", UNIT_TEXT, .from = FROM_TEXT, .text = level_text, .width = 5,
	  .help = "size of the page that maps it now; none: nothing was mapped" },
	{ "faults", "FAULT", PART(count), .needs = MEASURE_FAULTS, .help = "stage-2 faults" },
	{ "late", "LATE", PART(late), .needs = MEASURE_LATE,
	  .help = "of these, faults on pages that had been mapped ahead" },
	{ "time", "TIME", TIME(part_figures, ns), .needs = MEASURE_FAULTS,
	  .help = "time in these faults, per second" },
	PART_SHARE(MEASURE_FAULTS, "of that time of all faults"),
	PART_P50(MEASURE_FAULTS),
	PART_P99(MEASURE_FAULTS),
	{ "ahead_pg", "AHEAD", PART(ahead_pages), .needs = MEASURE_AHEAD,
	  .help = "pages mapped ahead, or found mapped" },
	{ "ahead_new", "NEW", PART(ahead_new_pages), .needs = MEASURE_AHEAD,
	  .help = "of these, those that were not mapped before" },
};

#define COLUMNS(of, who, by) \
	.columns = (of), .column_count = sizeof(of) / sizeof(*(of)), .fixed = (who), .sort = (by)
#define TABLE(of, by)	COLUMNS(of, 2, by), .figures_size = sizeof(struct figures), .figures = fill_figures
#define PARTS(of, who, part) \
	COLUMNS(of, who, who), .figures_size = sizeof(struct part_figures), .figures = fill_##part, \
	.next_part = next_##part

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
		TABLE(vms, 2), .trend = exits_of,
		.measures = MEASURE_EXITS | MEASURE_CONVERSIONS | MEASURE_REQUESTS | MEASURE_ZAPS | MEASURE_POLICY |
			    MEASURE_GMEM,
		.metrics = 1 << METRIC_EXITS | 1 << METRIC_CONVERSIONS | 1 << METRIC_ZAPS,
	},
	[SHEET_VCPUS] = {
		.word = "vcpus", .noun = "vCPU", .help = "the exits of each vCPU", .enter = SHEET_EXITS,
		PARTS(vcpus, 3, vcpu), .measures = MEASURE_VCPUS | MEASURE_EXIT_NS,
		.metrics = 1 << METRIC_EXITS | 1 << METRIC_EXIT_NS,
	},
	[SHEET_EXITS] = {
		.word = "reasons", .noun = "reason", .help = "why VMs exit, and for how long",
		PARTS(exits, 3, exit), .measures = MEASURE_REASONS | MEASURE_EXIT_NS | MEASURE_USER_EXITS,
		.metrics = 1 << METRIC_EXITS | 1 << METRIC_REASONS | 1 << METRIC_EXIT_NS | 1 << METRIC_USER_EXITS,
	},
	[SHEET_CONVERSIONS] = {
		.word = "conversions", .noun = "VM", .subject = "conversions",
		.help = "what was asked for, and what came of it",
		TABLE(conversions, 2), .trend = requests_of,
		.measures = MEASURE_CONVERSIONS | MEASURE_REQUESTS | MEASURE_POLICY | MEASURE_STATS |
			    MEASURE_WAYS,
		.metrics = 1 << METRIC_CONVERSIONS | 1 << METRIC_WAYS,
	},
	[SHEET_ZAPS] = {
		.word = "zaps", .noun = "VM", .subject = "zaps", .help = "what conversions unmap, and huge pages",
		TABLE(zaps, 2), .measures = MEASURE_ZAPS | MEASURE_ZAP_COUNT | MEASURE_ZAP_NS | MEASURE_STATS | HUGE_CHANGES |
			    MEASURE_GMEM_HUGE,
		.metrics = 1 << METRIC_ZAPS | 1 << METRIC_FAULTS | 1 << METRIC_AHEAD,
	},
	[SHEET_FAULTS] = {
		.word = "faults", .noun = "kind", .help = "stage-2 faults, and memory mapped ahead of them",
		PARTS(faults, 4, fault), .measures = MEASURE_FAULTS | MEASURE_LATE | MEASURE_AHEAD,
		.metrics = 1 << METRIC_FAULTS | 1 << METRIC_AHEAD,
	},
	[SHEET_POLICY] = {
		.word = "policy", .noun = "VM", .subject = "policies", .help = "what policies decide, and what they cost",
		TABLE(policy, 3), .measures = MEASURE_POLICY | MEASURE_STATS, .metrics = 1 << METRIC_STATS,
	},
	[SHEET_MAP] = {
		.word = "map", .noun = "VM", .subject = "memory",
		.help = "what of a VM's memory is private, changes, faults",
		.columns = map_columns, .column_count = sizeof(map_columns) / sizeof(*map_columns), .fixed = 3, .sort = 2,
		.figures_size = sizeof(char), .figures = fill_map_run, .next_part = map_next_run,
		.draw = map_draw, .key = map_key,
		.keys = "arrows Move  z Z Zoom  n Slot  c Age/faults",
		.measures = MEASURE_MAP | MEASURE_MAP_ATTRIBUTES | MEASURE_MAP_CONVERSIONS | MEASURE_MAP_FAULTS,
		.metrics = ((1 << MAP_METRICS) - 1) << METRIC_MAP,
	},
	[SHEET_CHAINS] = {
		.word = "chains", .noun = "link", .subject = "chains",
		.help = "what conversions cost, from the exit to the fault", .enter = SHEET_MAP,
		.columns = chain_columns, .column_count = sizeof(chain_columns) / sizeof(*chain_columns), .fixed = 3, .sort = 4,
		.figures_size = sizeof(struct chain_figures), .figures = fill_chain_figures, .next_part = chain_next_link,
		.measures = MEASURE_CHAINS | MEASURE_CHAIN_EXITS | MEASURE_CHAIN_FAULTS,
		.metrics = ((1 << CHAIN_METRICS) - 1) << METRIC_CHAINS,
		.draw_below = chain_draw_below,
	},
};

const char *const measures[] = {
	"exits", "conversions", "requests", "zaps", "policy", "vcpus", "reasons", "exit_ns", "user_exits", "faults",
	"late", "ahead", "zap_ns", "huge", "stats", "zap_count", "chains", "chain_exits", "chain_faults", "map",
	"map_attributes", "map_conversions", "map_faults", "gmem", "ways", "gmem_huge", NULL,
};
