// SPDX-License-Identifier: GPL-2.0
#include "figures.h"

#include "rows.h"

static bool vcpu_number(const struct row *row, double *number)
{
	*number = row->part;
	return row->part != ALL_PARTS && row->part != NO_VCPU;
}

static const char *vcpu_text(const struct row *row)
{
	return row->part == ALL_PARTS ? "all" : NULL;
}

#define SUM(member)		COUNT(figures, member)
#define FAULT_TIME(percent)	PERCENTILE(figures, fault, percent)
#define CALL_TIME(percent)	PERCENTILE(figures, call, percent)

/* Those that answer the first questions come first. */
static const struct column columns[] = {
	COLUMN_PID,
	COLUMN_NAME(12),
	{ "vcpu", "VCPU", UNIT_NAME, .from = FROM_ROW, .number = vcpu_number, .text = vcpu_text, .width = 4,
	  .help = "the vCPU's number, or all of them" },
	{ "faults", "FAULT", SUM(faults), .needs = MEASURE_FAULTS, .help = "stage-2 faults of the guest" },
	{ "private", "PRIV", SUM(private_faults), .needs = MEASURE_FAULT_ENDS, .help = "of private memory" },
	{ "shared", "SHRD", SUM(shared_faults), .needs = MEASURE_FAULT_ENDS, .help = "of shared memory" },
	{ "p50", "P50", FAULT_TIME(50), .needs = MEASURE_FAULT_ENDS, .help = "median time of a fault in KVM" },
	{ "p99", "P99", FAULT_TIME(99), .needs = MEASURE_FAULT_ENDS, .help = "99th percentile of it" },
	{ "calls", "CALL", SUM(calls), .needs = MEASURE_CALLS, .help = "calls of KVM_PRE_FAULT_MEMORY" },
	{ "c_p50", "CP50", CALL_TIME(50), .needs = MEASURE_CALLS, .help = "median time of a call" },
	{ "new_pg", "NEW", SUM(new_pages), .needs = MEASURE_PAGES,
	  .help = "pages mapped ahead that were not mapped before" },
	{ "used", "USED%", CELL(figures, used_percent, UNIT_PERCENT), .needs = MEASURE_USE,
	  .help = "share of the pages mapped ahead that the guest touched" },
	{ "touched_pg", "TOUCH", CELL(figures, touched, UNIT_COUNT), .needs = MEASURE_USE,
	  .help = "pages mapped ahead that the guest touched" },
	{ "unused_pg", "UNUSE", CELL(figures, unused, UNIT_COUNT), .needs = MEASURE_USE,
	  .help = "pages unmapped before the guest touched them" },
	{ "untouched_pg", "IDLE", CELL(figures, untouched, UNIT_LEVEL), .needs = MEASURE_USE,
	  .help = "pages mapped ahead and not touched so far" },
	{ "old_pg", "OLD", SUM(old_pages), .needs = MEASURE_PAGES,
	  .help = "pages that were mapped already: work for nothing" },
	{ "ro_pg", "RO", SUM(ro_pages), .needs = MEASURE_READ_ONLY,
	  .help = "pages of NEW that the first write will fault on" },
	{ "windows", "WIND", SUM(windows), .needs = MEASURE_WINDOWS, .help = "windows that a policy wanted mapped" },
	{ "wanted_pg", "WANT", SUM(proposed_pages), .needs = MEASURE_WINDOWS, .help = "pages in these windows" },
	{ "granted_pg", "GRANT", SUM(granted_pages), .needs = MEASURE_WINDOWS,
	  .help = "pages of them that KVM agreed to map" },
	{ "prefaulted", "LATE", SUM(late), .needs = MEASURE_LATE,
	  .help = "faults on pages that turned out to be mapped ahead" },
	{ "at_4k", "4K", SUM(levels[1]), .needs = MEASURE_FAULT_ENDS,
	  .help = "faults after which a page of this size maps the memory" },
	{ "at_2m", "2M", SUM(levels[2]), .needs = MEASURE_FAULT_ENDS },
	{ "at_1g", "1G", SUM(levels[3]), .needs = MEASURE_FAULT_ENDS },
	{ "p90", "P90", FAULT_TIME(90), .needs = MEASURE_FAULT_ENDS },
	{ "max", "MAX", FAULT_TIME(100), .needs = MEASURE_FAULT_ENDS },
	{ "spurious", "SPUR", SUM(spurious), .needs = MEASURE_FAULT_ENDS,
	  .help = "mapped already, by another vCPU for example" },
	{ "retried", "RETRY", SUM(retried), .needs = MEASURE_FAULT_ENDS,
	  .help = "the guest has to retry: the mapping was changing" },
	{ "other", "OTHER", SUM(other), .needs = MEASURE_FAULT_ENDS, .help = "emulated, write-protected" },
	{ "failed", "FAIL", SUM(failed), .needs = MEASURE_FAULT_ENDS, .warns = true,
	  .help = "failed, or left to the VMM" },
	{ "c_failed", "CFAIL", SUM(failed_calls), .needs = MEASURE_CALLS, .warns = true, .help = "calls that failed" },
	{ "c_p99", "CP99", CALL_TIME(99), .needs = MEASURE_CALLS },
	{ "done_pg", "DONE", SUM(done_pages), .needs = MEASURE_CALLS, .help = "pages that calls went through" },
};

#define TABLE \
	.columns = columns, .column_count = sizeof(columns) / sizeof(*columns), .fixed = 3, .sort = 3, \
	.figures_size = sizeof(struct figures), .figures = fill_figures, .json_row = json_row

const struct sheet sheets[] = {
	[SHEET_VMS] = { .word = "vms", .noun = "VM", .help = "the faults of each VM", .enter = SHEET_VCPUS, TABLE },
	[SHEET_VCPUS] = { .word = "vcpus", .noun = "vCPU", .help = "the same of each vCPU",
			  .next_part = next_vcpu, TABLE },
};

const char *const measures[] = {
	"faults", "fault_ends", "calls", "pages", "late", "windows", "use", "read_only", NULL,
};
