// SPDX-License-Identifier: GPL-2.0
/* The metrics of memattr-top. docs/metrics.md says what each family is for. */
#include "figures.h"

#include <string.h>
#include <time.h>

#include "chain.h"
#include "metrics.h"

/* How the screen tells exits to userspace from others. */
#define USER_PREFIX "user:"

#define NS_PER_S UINT64_C(1000000000)

/* Where a counter is in struct top_vm. */
#define NUMBER(member)	.at = offsetof(struct top_vm, numbers.member)

static void version_label(struct labels *labels, const struct snapshot *s, const void *item)
{
	(void)s;
	(void)item;
	label_add(labels, "version", MEMATTR_VERSION);
}

static bool snapshot_time(const struct snapshot *s, const void *item, uint64_t *value)
{
	(void)item;
	*value = s->wall * NS_PER_S;
	return true;
}

static bool vm_count(const struct snapshot *s, const void *item, uint64_t *value)
{
	(void)item;
	*value = s->lists[0].count;
	return true;
}

static bool is_patched(const struct snapshot *s, const void *item, uint64_t *value)
{
	(void)item;
	*value = s->host_kvm == KVM_PATCHED;
	return s->host_kvm != KVM_UNKNOWN;
}

static bool is_in_place(const struct snapshot *s, const void *item, uint64_t *value)
{
	(void)item;
	*value = s->in_place == IN_PLACE_ON;
	return s->in_place != IN_PLACE_UNKNOWN;
}

static bool late_intervals(const struct snapshot *s, const void *item, uint64_t *value)
{
	(void)item;
	*value = s->late;
	return true;
}

static bool bpf_ns(const struct snapshot *s, const void *item, uint64_t *value)
{
	(void)item;
	*value = s->cost.ns;
	return s->cost.known;
}

static bool bpf_runs(const struct snapshot *s, const void *item, uint64_t *value)
{
	(void)item;
	*value = s->cost.runs;
	return s->cost.known;
}

/* This process is not part of what a snapshot tells: in a replay, it is the replaying one. */
static bool process_cpu_ns(const struct snapshot *s, const void *item, uint64_t *value)
{
	struct timespec used;

	(void)s;
	(void)item;
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used))
		return false;
	*value = used.tv_sec * NS_PER_S + used.tv_nsec;
	return true;
}

/* These can change while the VM lives: so they are not in the labels of what is counted. */
static void vm_labels(struct labels *labels, const struct snapshot *s, const void *item)
{
	const struct snapshot_vm *vm = item;
	char container[VM_CGROUP_LEN];

	(void)s;
	container_of_cgroup(vm->cgroup, container, sizeof(container));
	label_add_number(labels, "pid", vm->pid);
	label_add(labels, "comm", vm->comm);
	label_add(labels, "cgroup", vm->cgroup);
	label_add(labels, "container", container);
}

static bool has_policy(const struct snapshot *s, const void *item, uint64_t *value)
{
	const struct top_vm *vm = item;

	(void)s;
	*value = 1;
	return vm->policy_known && vm->policy[0];
}

static void policy_labels(struct labels *labels, const struct snapshot *s, const void *item)
{
	(void)s;
	label_add(labels, "policy", ((const struct top_vm *)item)->policy);
}

/* Whether the VM is without a policy because KVM ejected the last one. */
static bool is_ejected(const struct snapshot *s, const void *item, uint64_t *value)
{
	const struct top_vm *vm = item;

	(void)s;
	*value = vm->ejected && !vm->policy[0];
	return vm->policy_known;
}

static bool ejection_time(const struct snapshot *s, const void *item, uint64_t *value)
{
	const struct top_vm *vm = item;

	(void)s;
	*value = vm->ejected_at * NS_PER_S;
	return vm->policy_counted && vm->ejected_at;
}

static bool ejections(const struct snapshot *s, const void *item, uint64_t *value)
{
	const struct top_vm *vm = item;

	(void)s;
	*value = vm->ejections;
	return vm->policy_counted;
}

static bool gmem_bytes(const struct snapshot *s, const void *item, uint64_t *value)
{
	int64_t pages = ((const struct top_vm *)item)->gmem_pages;

	(void)s;
	*value = pages;
	return pages >= 0;
}

static bool gmem_private_bytes(const struct snapshot *s, const void *item, uint64_t *value)
{
	int64_t pages = ((const struct top_vm *)item)->gmem_private_pages;

	(void)s;
	*value = pages;
	return pages >= 0;
}

/* --- parts of VMs --- */

/* To userspace, which is also an exit from the guest for another reason. */
static bool is_user_exit(const struct top_part *part)
{
	return part->part >> 32 >= REASON_USER;
}

static bool exit_count(const struct snapshot *s, const void *item, uint64_t *value)
{
	const struct top_part *part = item;

	(void)s;
	*value = part->numbers.count;
	return part->kind == PART_EXIT && !is_user_exit(part);
}

static bool user_exit_count(const struct snapshot *s, const void *item, uint64_t *value)
{
	const struct top_part *part = item;

	(void)s;
	*value = part->numbers.count;
	return part->kind == PART_EXIT && is_user_exit(part);
}

static bool exit_ns(const struct snapshot *s, const void *item, uint64_t *value)
{
	const struct top_part *part = item;

	(void)s;
	*value = part->numbers.ns;
	return part->kind == PART_EXIT && !is_user_exit(part);
}

static void reason_label(struct labels *labels, const struct snapshot *s, const void *item)
{
	const char *name = exit_name(((const struct top_part *)item)->part);

	(void)s;
	label_add(labels, "reason", strncmp(name, USER_PREFIX, strlen(USER_PREFIX)) ? name : name + strlen(USER_PREFIX));
}

static bool fault_count(const struct snapshot *s, const void *item, uint64_t *value)
{
	const struct top_part *part = item;

	(void)s;
	*value = part->numbers.count;
	return part->kind == PART_FAULT;
}

static bool fault_ns(const struct snapshot *s, const void *item, uint64_t *value)
{
	const struct top_part *part = item;

	(void)s;
	*value = part->numbers.ns;
	return part->kind == PART_FAULT;
}

static void fault_labels(struct labels *labels, const struct snapshot *s, const void *item)
{
	long part = ((const struct top_part *)item)->part;

	(void)s;
	label_add(labels, "alias", alias_name(part / LEVEL_COUNT));
	label_add(labels, "level", level_name(part % LEVEL_COUNT));
}

/* One link of the chains of a VM. */
#define CHAIN_COUNT(link, measure, count) \
	{ "memattr_vm_chain_conversions", FAMILY_COUNTER, .list = LIST_CHAINS, .needs = MEASURE_CHAINS | (measure), \
	  .at = offsetof(struct chain_item, links.count), .label = "link", .label_value = (link), \
	  .help = "Conversions that went through a link of their chain." }
#define CHAIN_SECONDS(link, measure, ns) \
	{ "memattr_vm_chain_seconds", FAMILY_COUNTER, IN_SECONDS, .list = LIST_CHAINS, .needs = MEASURE_CHAINS | (measure), \
	  .at = offsetof(struct chain_item, links.ns), .label = "link", .label_value = (link), \
	  .help = "Time spent in a link of the chains of conversions." }

static const struct family families[] = {
	{ "memattr_build", FAMILY_INFO, .list = OF_SNAPSHOT, .labels = version_label,
	  .help = "The version of memattr-top." },
	{ "memattr_snapshot_timestamp_seconds", FAMILY_GAUGE, IN_SECONDS, .list = OF_SNAPSHOT, .value = snapshot_time,
	  .help = "When these figures were read, in seconds since 1970." },
	{ "memattr_vms", FAMILY_GAUGE, .list = OF_SNAPSHOT, .value = vm_count,
	  .help = "VMs that are exported." },
	{ "memattr_kernel_patched", FAMILY_GAUGE, .list = OF_SNAPSHOT, .value = is_patched,
	  .help = "1 if KVM has the memattr patches." },
	{ "memattr_in_place_conversion", FAMILY_GAUGE, .list = OF_SNAPSHOT, .value = is_in_place,
	  .help = "1 if KVM converts guest_memfds in place." },
	{ "memattr_lost_events", FAMILY_COUNTER, .list = OF_SNAPSHOT, .at = offsetof(struct snapshot, lost_events),
	  .help = "Events that were not counted." },
	{ "memattr_late_intervals", FAMILY_COUNTER, .list = OF_SNAPSHOT, .value = late_intervals,
	  .help = "Intervals that were missed and made another one longer." },
	{ "memattr_bpf_seconds", FAMILY_COUNTER, IN_SECONDS, .list = OF_SNAPSHOT, .value = bpf_ns,
	  .help = "Time spent in the BPF programs of memattr-top, on all CPUs." },
	{ "memattr_bpf_runs", FAMILY_COUNTER, .list = OF_SNAPSHOT, .value = bpf_runs,
	  .help = "Runs of the BPF programs of memattr-top." },
	{ "memattr_process_cpu_seconds", FAMILY_COUNTER, IN_SECONDS, .list = OF_SNAPSHOT, .value = process_cpu_ns,
	  .help = "CPU time of the process memattr-top." },

	{ "memattr_vm", FAMILY_INFO, .labels = vm_labels,
	  .help = "The process that runs the VM, its cgroup, and its container." },
	{ "memattr_vm_exits", FAMILY_COUNTER, .needs = MEASURE_EXITS, NUMBER(exits),
	  .help = "Exits from the guest to KVM." },
	{ "memattr_vm_conversions", FAMILY_COUNTER, .needs = MEASURE_CONVERSIONS, NUMBER(to_private),
	  .label = "direction", .label_value = "private", .help = "Conversions that changed at least one page." },
	{ "memattr_vm_conversions", FAMILY_COUNTER, .needs = MEASURE_CONVERSIONS, NUMBER(to_shared),
	  .label = "direction", .label_value = "shared", .help = "Conversions that changed at least one page." },
	{ "memattr_vm_conversion_noops", FAMILY_COUNTER, .needs = MEASURE_REQUESTS, NUMBER(noop),
	  .help = "Requests that succeeded and changed nothing." },
	{ "memattr_vm_conversion_refusals", FAMILY_COUNTER, .needs = MEASURE_REQUESTS, NUMBER(denied),
	  .help = "Requests that a policy refused." },
	{ "memattr_vm_conversion_failures", FAMILY_COUNTER, .needs = MEASURE_REQUESTS, NUMBER(failed),
	  .help = "Requests that failed, and not because of a policy." },
	{ "memattr_vm_conversion_holds", FAMILY_COUNTER, .needs = MEASURE_REQUESTS, NUMBER(held),
	  .help = "Failures in place because somebody held a page. They are failures, too." },
	{ "memattr_vm_requested_bytes", FAMILY_COUNTER, IN_BYTES, .needs = MEASURE_REQUESTS, NUMBER(requested_pages),
	  .help = "Memory in the ranges of all requests, whatever came of them." },
	{ "memattr_vm_converted_bytes", FAMILY_COUNTER, IN_BYTES, .needs = MEASURE_CONVERSIONS, NUMBER(effective_pages),
	  .help = "Memory that conversions changed." },
	{ "memattr_vm_zapped_bytes", FAMILY_COUNTER, IN_BYTES, .needs = MEASURE_ZAPS, NUMBER(zap_pages),
	  .help = "Memory that conversions unmapped from the guest." },
	{ "memattr_vm_conversion_seconds", FAMILY_HISTOGRAM, IN_SECONDS, .needs = MEASURE_REQUESTS,
	  .at = offsetof(struct top_vm, latency), .sum_at = offsetof(struct top_vm, numbers.latency_ns),
	  .help = "Time that a conversion took in KVM." },

	{ "memattr_vm_guest_memfd_bytes", FAMILY_GAUGE, IN_BYTES, .needs = MEASURE_GMEM, .value = gmem_bytes,
	  .help = "Memory that the VM's guest_memfds hold." },
	{ "memattr_vm_guest_memfd_private_bytes", FAMILY_GAUGE, IN_BYTES, .needs = MEASURE_GMEM | MEASURE_STATS,
	  .value = gmem_private_bytes, .help = "Of that, memory that is private, at most." },

	{ "memattr_vm_policy", FAMILY_INFO, .needs = MEASURE_POLICY, .value = has_policy, .labels = policy_labels,
	  .help = "The policy that governs the VM." },
	{ "memattr_vm_policy_ejected", FAMILY_GAUGE, .needs = MEASURE_POLICY, .value = is_ejected,
	  .help = "1 if the VM has no policy because KVM ejected the last one." },
	{ "memattr_policy_ejections", FAMILY_COUNTER, .needs = MEASURE_POLICY, .value = ejections,
	  .help = "Policies that KVM ejected from the VM since the VM was created." },
	{ "memattr_policy_last_ejection_timestamp_seconds", FAMILY_GAUGE, IN_SECONDS, .needs = MEASURE_POLICY,
	  .value = ejection_time, .help = "When memattr-top noticed the last ejection, in seconds since 1970." },
	{ "memattr_policy_calls", FAMILY_COUNTER, .needs = MEASURE_STATS, NUMBER(policy_calls),
	  .help = "Calls of the functions of the VM's policies." },
	{ "memattr_policy_seconds", FAMILY_COUNTER, IN_SECONDS, .needs = MEASURE_STATS, NUMBER(policy_ns),
	  .help = "Time spent in the VM's policies." },
	{ "memattr_policy_refusals", FAMILY_COUNTER, .needs = MEASURE_STATS, NUMBER(refused),
	  .help = "Conversions that policies refused." },
	{ "memattr_policy_host_refusals", FAMILY_COUNTER, .needs = MEASURE_STATS, NUMBER(host_refused),
	  .help = "Accesses of host processes that policies refused." },
	{ "memattr_policy_widened_bytes", FAMILY_COUNTER, IN_BYTES, .needs = MEASURE_STATS, NUMBER(widened_pages),
	  .help = "Memory that was unmapped in addition because policies widened it." },

	{ "memattr_vm_zaps", FAMILY_COUNTER, .needs = MEASURE_ZAP_NS, NUMBER(zaps),
	  .help = "Ranges that conversions unmapped from the guest." },
	{ "memattr_vm_zap_seconds", FAMILY_COUNTER, IN_SECONDS, .needs = MEASURE_ZAP_NS, NUMBER(zap_ns),
	  .help = "Time that unmapping took." },
	{ "memattr_vm_huge_pages", FAMILY_GAUGE, .needs = MEASURE_HUGE, .at = offsetof(struct top_vm, huge_pages),
	  .help = "Huge pages that are mapped in the guest." },
	{ "memattr_vm_huge_pages_mapped", FAMILY_COUNTER, .needs = MEASURE_FAULTS | MEASURE_AHEAD, NUMBER(huge_mapped),
	  .help = "Huge pages that became mapped. If they no longer are, they have been lost." },
	{ "memattr_vm_guest_memfd_hugepages_allocated", FAMILY_COUNTER, .needs = MEASURE_GMEM_HUGE,
	  NUMBER(gmem_huge_allocated), .help = "2 MiB of guest_memfds that are contiguous, so that they can be huge." },
	{ "memattr_vm_guest_memfd_hugepages_refused", FAMILY_COUNTER, .needs = MEASURE_GMEM_HUGE,
	  NUMBER(gmem_huge_refused), .help = "2 MiB of guest_memfds for which there was no contiguous memory." },
	{ "memattr_vm_guest_memfd_hugepages_declined", FAMILY_COUNTER, .needs = MEASURE_GMEM_HUGE,
	  NUMBER(gmem_huge_declined), .help = "2 MiB of guest_memfds that a policy left to small pages." },
	{ "memattr_vm_guest_memfd_hugepages_split", FAMILY_COUNTER, .needs = MEASURE_GMEM_HUGE,
	  NUMBER(gmem_huge_splits), .help = "Huge pages of guest_memfds that lost a part, and stayed mapped by small pages." },
	{ "memattr_vm_prefaulted_bytes", FAMILY_COUNTER, IN_BYTES, .needs = MEASURE_STATS, NUMBER(prefaulted_pages),
	  .help = "Memory that was mapped before the guest touched it." },
	{ "memattr_vm_prefaulted_unused_bytes", FAMILY_COUNTER, IN_BYTES, .needs = MEASURE_STATS,
	  NUMBER(prefaulted_unused), .help = "Of that, memory that was unmapped untouched." },

	{ "memattr_vm_exits_by_reason", FAMILY_COUNTER, .list = LIST_PARTS, .needs = MEASURE_REASONS,
	  .value = exit_count, .labels = reason_label, .help = "Exits from the guest to KVM, by reason." },
	{ "memattr_vm_exit_seconds", FAMILY_COUNTER, IN_SECONDS, .list = LIST_PARTS,
	  .needs = MEASURE_REASONS | MEASURE_EXIT_NS, .value = exit_ns, .labels = reason_label,
	  .help = "Time from exits to entries, by reason." },
	{ "memattr_vm_user_exits", FAMILY_COUNTER, .list = LIST_PARTS, .needs = MEASURE_USER_EXITS,
	  .value = user_exit_count, .labels = reason_label, .help = "Exits that went on to userspace, by reason." },
	{ "memattr_vm_faults", FAMILY_COUNTER, .list = LIST_PARTS, .needs = MEASURE_FAULTS, .value = fault_count,
	  .labels = fault_labels, .help = "Stage-2 faults." },
	{ "memattr_vm_fault_seconds", FAMILY_COUNTER, IN_SECONDS, .list = LIST_PARTS, .needs = MEASURE_FAULTS,
	  .value = fault_ns, .labels = fault_labels, .help = "Time that stage-2 faults took." },
	CHAIN_COUNT("exit", MEASURE_CHAIN_EXITS, exits),
	CHAIN_COUNT("convert", 0, conversions),
	CHAIN_COUNT("zap", 0, zaps),
	CHAIN_COUNT("fault", MEASURE_CHAIN_FAULTS, refaults),
	CHAIN_SECONDS("exit", MEASURE_CHAIN_EXITS, exit_ns),
	CHAIN_SECONDS("convert", 0, convert_ns),
	CHAIN_SECONDS("zap", 0, zap_ns),
	CHAIN_SECONDS("wait", MEASURE_CHAIN_FAULTS, wait_ns),
	CHAIN_SECONDS("fault", MEASURE_CHAIN_FAULTS, refault_ns),
};

const struct metrics top_metrics = { .families = families, .count = sizeof(families) / sizeof(*families) };
