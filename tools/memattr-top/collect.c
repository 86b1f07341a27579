// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
/* The collector reads BPF maps, debugfs and /proc, and makes snapshots. */
#include "figures.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_maps.h"
#include "clock.h"
#include "cpus.h"
#include "exit_kinds.h"
#include "gmem.h"
#include "hooks.h"
#include "kvm_core.h"
#include "looks.h"
#include "memattr-top.skel.h"
#include "optional.h"
#include "own_cost.h"
#include "reasons.h"
#include "results.h"
#include "series.h"
#include "stats.h"
#include "vm_table.h"

struct collector {
	struct hooks hooks;
	struct memattr_top_bpf *bpf;
	struct own_cost cost;
	uint64_t ended_exits;	/* of VMs whose counts have been cleared */
	struct vm_table table;
	struct top_counts *counts;	/* VM_SLOTS of them, shared with the kernel, as are cpus */
	struct top_cpu *cpus;
	int cpu_count;
	struct series_maps series;
	struct stats stats;
	struct gmem gmem;
	struct optional optional;
	unsigned int wanted;	/* enum measure */

	bool has_reasons, can_read_stats, can_read_gmem;
	struct snapshot_hook reasons_hook;
	bool has_policies;	/* the kernel has policies, and debugfs shows them */
	struct exit_kinds kinds;
	struct looks looks;
	/* VMs whose policy's file goes a little before they do: what was read last. */
	struct snapshot *before;
};

/* What the programs have to know of this kernel. */
static int set_constants(struct collector *c)
{
	struct reasons_at reasons;
	struct kvm_btf kvm;
	int err;

	c->has_reasons = reasons_find(&reasons, &c->reasons_hook);
	c->bpf->rodata->svm_vmcb_at = reasons.svm_vmcb;
	c->bpf->rodata->vmcb_exit_code_at = reasons.vmcb_exit_code;
	c->bpf->rodata->vmx_exit_reason_at = reasons.vmx_exit_reason;

	err = kvm_btf_load(&kvm);
	if (err)
		return err;
	results_find(kvm.btf, (__u8 *)c->bpf->rodata->results);
	kvm_btf_free(&kvm);
	return 0;
}

static int load(struct collector *c)
{
	struct kvm_core core;
	int err = kvm_core_open(&core);

	if (!err) {
		c->bpf = memattr_top_bpf__open_opts(core.options);
		err = c->bpf ? fallback_select(&fallback, &c->hooks, c->bpf->obj) : -errno;
	}
	if (!err)
		err = set_constants(c);
	if (!err)
		err = bpf_map__set_max_entries(c->bpf->maps.cpus, c->cpu_count);
	if (!err)
		err = series_size(&c->series, c->bpf->maps.series, c->bpf->maps.series_ids, c->bpf->maps.free_series);
	if (!err) {
		/* Exits tell chains nothing here if returns to userspace do. */
		bpf_program__set_autoload(c->bpf->progs.chain_exit_of_thread, !c->hooks.active[METRIC_USER_EXITS]);
		err = memattr_top_bpf__load(c->bpf);
	}
	kvm_core_close(&core);
	return err;
}

/* Chains come from programs that count, too. */
static const struct {
	enum chain_metric metric;
	enum metric counted;
} chain_sources[] = {
	{ CHAIN_EXITS, METRIC_USER_EXITS }, { CHAIN_ZAPS, METRIC_ZAPS }, { CHAIN_FAULTS, METRIC_FAULTS },
};

/* Attaches what is wanted, and what chains need. */
static void attach_optional(struct collector *c)
{
	optional_want(&c->optional, c->wanted | chain_needs(&c->looks.chain));
	for (size_t i = 0; i < sizeof(chain_sources) / sizeof(*chain_sources); i++)
		if (!c->hooks.active[chain_sources[i].counted])
			chain_lacks(&c->looks.chain, chain_sources[i].metric,
				    c->hooks.errors[chain_sources[i].counted]);
}

void collector_want(void *collector, unsigned int measures, const struct snapshot_vm *vm)
{
	/* What the view of VMs shows. */
	const unsigned int always = MEASURE_EXITS | MEASURE_CONVERSIONS | MEASURE_REQUESTS | MEASURE_ZAPS;
	const unsigned int huge = MEASURE_HUGE | MEASURE_FAULTS | MEASURE_AHEAD;
	struct collector *c = collector;
	bool divide = measures & (MEASURE_DIVIDED | MEASURE_USER_EXITS);

	measures |= always;
	c->series.used |= measures & MEASURE_PARTS;
	if (divide && !c->bpf->bss->divide_exits)
		series_forget_exits(&c->series);
	c->bpf->bss->divide_exits = divide;
	c->bpf->bss->count_ways = measures & MEASURE_WAYS;
	/* Only all of these tell which huge pages get mapped. */
	stats_count_huge(&c->stats, &c->table, c->counts, (measures & huge) == huge);
	looks_want(&c->looks, measures, vm, c->cost.stats_fd);
	c->wanted = measures;
	attach_optional(c);
}

static int attach(struct collector *c)
{
	int err = vm_table_open(&c->table, c->bpf->maps.vms, c->bpf->maps.slots, c->bpf->maps.free_slots,
				&c->bpf->data->epoch);

	if (!err)
		err = series_open(&c->series);
	if (!err)
		err = stats_open(&c->stats, c->bpf->maps.stats, bpf_program__fd(c->bpf->progs.read_all_stats));
	if (!err)
		err = gmem_open(&c->gmem, c->bpf->maps.gmem, bpf_program__fd(c->bpf->progs.read_all_gmem));
	if (err)
		return err;
	c->counts = map_shared(c->bpf->maps.counts);
	c->cpus = map_shared(c->bpf->maps.cpus);
	if (!c->counts || !c->cpus)
		return -errno;
	/* Of those that are there already, only what they do from now on counts. */
	vm_table_list(&c->table);
	for (size_t i = 0; i < c->table.list.count; i++)
		if (c->table.list.vms[i].id > c->bpf->bss->last_old_id)
			c->bpf->bss->last_old_id = c->table.list.vms[i].id;
	stats_read_old(c->bpf->progs.read_old_stats);
	bpf_program__set_autoattach(c->bpf->progs.read_old_stats, false);
	optional_open(&c->optional, &c->hooks, c->bpf->obj);
	chain_open(&c->looks.chain, c->bpf);
	/* Until somebody says what is wanted, it is the view of VMs. */
	collector_want(c, 0, NULL);
	return memattr_top_bpf__attach(c->bpf);
}

static int start(struct collector *c, struct diag *why)
{
	int err = load(c);

	if (err) {
		diag_bpf_load(why, err);
		return err;
	}
	err = attach(c);
	if (err)
		diag_set(why, "run it again with -v", "cannot start counting: %s", strerror(-err));
	return err;
}

void *collector_open(const struct args *args, struct diag *why)
{
	struct collector *c = calloc(1, sizeof(*c));

	(void)args;
	if (!c) {
		diag_set(why, "", "out of memory");
		return NULL;
	}
	c->cost.stats_fd = -1;
	c->cpu_count = cpus_end(POSSIBLE_CPUS);
	if (c->cpu_count < 0)
		diag_set(why, "mount -t sysfs sysfs /sys", "cannot read " POSSIBLE_CPUS ": %s",
			 strerror(-c->cpu_count));

	if (c->cpu_count < 0 || fallback_probe(&fallback, &c->hooks, why) || start(c, why)) {
		collector_close(c);
		return NULL;
	}
	own_cost_open(&c->cost);
	c->has_policies = c->table.debugfs && diag_has(DIAG_MEMATTR, NULL);
	/* Without them no policy counts as ejected. */
	if (c->has_policies)
		exit_kinds_load(&c->kinds);
	return c;
}

void collector_close(void *collector)
{
	struct collector *c = collector;

	own_cost_close(&c->cost);
	looks_close(&c->looks);
	vm_table_close(&c->table);
	series_close(&c->series);
	stats_close(&c->stats);
	gmem_close(&c->gmem);
	optional_close(&c->optional);
	if (c->bpf) {
		unmap_shared(c->bpf->maps.counts, c->counts);
		unmap_shared(c->bpf->maps.cpus, c->cpus);
	}
	memattr_top_bpf__destroy(c->bpf);
	exit_kinds_free(&c->kinds);
	snapshot_free(c->before);
	free(c);
}

static bool is_ejection(const struct collector *c, const char *kind)
{
	for (size_t i = 0; i < c->kinds.count; i++)
		if (!strcmp(c->kinds.kinds[i].name, kind))
			return c->kinds.kinds[i].value >= c->kinds.first_ejected;
	return false;
}

/* Finds the VM as the snapshot before has it, or NULL. */
static const struct top_vm *find_before(const struct collector *c, const struct top_vm *vm)
{
	for (size_t i = 0; c->before && i < c->before->lists[0].count; i++) {
		const struct top_vm *old = snapshot_item(c->before, 0, i);

		if (old->vm.id == vm->vm.id && old->vm.creator_tid == vm->vm.creator_tid && old->vm.fd == vm->vm.fd &&
		    (!old->vm.birth || old->vm.birth == vm->vm.birth))
			return old;
	}
	return NULL;
}

/* The file goes a little before the VM does: then keep the policy that was read last. */
static void keep_policy(const struct collector *c, struct top_vm *vm)
{
	const struct top_vm *old = find_before(c, vm);

	if (!old)
		return;
	vm->policy_known = old->policy_known;
	vm->budget_us = old->budget_us;
	vm->ejected = old->ejected;
	memcpy(vm->policy, old->policy, sizeof(vm->policy));
	memcpy(vm->left, old->left, sizeof(vm->left));
	memcpy(vm->left_text, old->left_text, sizeof(vm->left_text));
	vm->policy_counted = old->policy_counted;
	vm->ejections = old->ejections;
	vm->ejected_at = old->ejected_at;
}

/* The kernel counts ejections and tells no time. One from before the tool's start counts as of its start. */
static void read_ejections(const struct collector *c, struct top_vm *vm, const struct vm_policy *policy)
{
	const struct top_vm *old;

	vm->policy_counted = policy->counted;
	vm->ejections = policy->ejections;
	if (!policy->ejections)
		return;
	old = find_before(c, vm);
	vm->ejected_at = old && old->ejections == policy->ejections ? old->ejected_at : (uint64_t)time(NULL);
}

static void read_policy(const struct collector *c, struct top_vm *vm, const struct vm *identity)
{
	struct vm_policy policy;

	if (!c->has_policies || (!identity->id && !identity->creator_tid))
		return;
	if (vm->vm.ended || vm_policy_read(identity, &policy)) {
		keep_policy(c, vm);
		return;
	}
	vm->policy_known = true;
	vm->budget_us = policy.budget_us;
	vm->ejected = is_ejection(c, policy.exit_kind);
	memcpy(vm->policy, policy.policy, sizeof(vm->policy));
	if (policy.exit_policy[0])
		snprintf(vm->left, sizeof(vm->left), "%s:%s", policy.exit_policy, policy.exit_kind);
	memcpy(vm->left_text, policy.exit_text, sizeof(vm->left_text));
	read_ejections(c, vm, &policy);
}

static int read_counts(struct collector *c, struct top_vm *vm, uint32_t slot)
{
	const struct top_counts *from = &c->counts[slot];
	int err;

	vm->numbers = (struct numbers){
		.to_private = from->to_private,
		.to_shared = from->to_shared,
		.noop = from->noop,
		.denied = from->denied,
		.failed = from->failed,
		.held = from->held,
		.requested_pages = from->requested_pages,
		.effective_pages = from->effective_pages,
		.zaps = from->zaps,
		.zap_pages = from->zap_pages,
		.zap_ns = from->zap_ns,
		.by_ioctl = from->by_ioctl,
		.by_gmem = from->by_gmem,
		.undone = from->undone,
		.huge_mapped = from->huge_mapped,
		.latency_ns = from->latency_ns,
	};
	for (int cpu = 0; cpu < c->cpu_count; cpu++)
		vm->numbers.exits += c->cpus[cpu].exits[slot];
	stats_fill(&c->stats, vm, slot, &c->table.owners[slot], c->bpf->bss->has_memattr_stats);
	gmem_fill(&c->gmem, vm, slot, c->bpf->bss->has_memattr_stats);
	err = histogram_set_first(&vm->latency, from->latency, TOP_BUCKETS);
	return err ?: histogram_set_first(&vm->zap_latency, from->zap_latency, TOP_BUCKETS);
}

/* The kernel no longer writes to the counts of a VM that has ended. */
static void clear_counts(struct collector *c, uint32_t slot)
{
	memset(&c->counts[slot], 0, sizeof(c->counts[slot]));
	for (int cpu = 0; cpu < c->cpu_count; cpu++)
		c->cpus[cpu].exits[slot] = 0;
}

static int add_counted(struct collector *c, struct snapshot *s, uint32_t slot)
{
	const struct vm_owner *owner = &c->table.owners[slot];
	struct top_vm *vm = snapshot_add(s, 0);
	int err;

	if (!vm)
		return -ENOMEM;
	vm_table_identify(&vm->vm, &owner->vm, owner->birth, owner->ended);
	read_policy(c, vm, &owner->vm);
	err = read_counts(c, vm, slot);
	if (owner->ended)
		clear_counts(c, slot);
	return err;
}

/* Adds VMs that are listed and have no slot. One that has just ended may still be listed. */
static int add_idle(struct collector *c, struct snapshot *s)
{
	s->idle_listed = c->table.is_current;
	for (size_t i = 0; i < c->table.list.count; i++) {
		const struct vm *listed = &c->table.list.vms[i];
		struct top_vm *vm;

		if ((!listed->id && !listed->creator_tid) || vm_table_has(&c->table, listed))
			continue;
		vm = snapshot_add(s, 0);
		if (!vm)
			return -ENOMEM;
		vm_table_identify(&vm->vm, listed, 0, false);
		vm->gmem_pages = vm->gmem_private_pages = GMEM_NOT_KNOWN;
		read_policy(c, vm, listed);
	}
	return 0;
}

static unsigned int measured(const struct collector *c)
{
	unsigned int measures = fallback_measures(&c->hooks);

	if (c->has_policies)
		measures |= MEASURE_POLICY;
	if (c->has_reasons && measures & MEASURE_EXITS)
		measures |= MEASURE_REASONS;
	if (c->can_read_stats)
		measures |= MEASURE_HUGE | (c->bpf->bss->has_memattr_stats ? MEASURE_STATS | MEASURE_ZAPS : 0) |
			    (c->bpf->bss->has_gmem_huge_stats ? MEASURE_GMEM_HUGE : 0);
	if (c->can_read_gmem && c->bpf->bss->has_gmem)
		measures |= MEASURE_GMEM;
	return measures;
}

#define STATS_HOOK "read:struct kvm"

static void describe_hooks(const struct collector *c, struct snapshot *s)
{
	struct snapshot_hook *stats = &s->hooks[METRIC_STATS];

	s->hook_count = METRIC_COUNT;
	for (int metric = 0; metric < METRIC_COUNT; metric++)
		if (metric != METRIC_REASONS && metric != METRIC_STATS)
			fallback_describe(&fallback, &c->hooks, metric, &s->hooks[metric]);
	if (c->bpf->bss->has_memattr_stats && !(c->wanted & MEASURE_ZAP_NS))
		snprintf(s->hooks[METRIC_ZAPS].hook, sizeof(s->hooks[METRIC_ZAPS].hook), STATS_HOOK);
	s->hooks[METRIC_REASONS] = c->reasons_hook;
	*stats = (struct snapshot_hook){ .metric = "statistics", .hook = "n/a" };
	if (c->can_read_stats)
		snprintf(stats->hook, sizeof(stats->hook), STATS_HOOK);
	else
		snprintf(stats->note, sizeof(stats->note), "the kernel does not run the program that reads them");
}

/* Everything that is not in a list. */
static void fill_rest(struct collector *c, struct snapshot *s)
{
	s->time_ns = monotonic_ns();
	s->wall = time(NULL);
	c->bpf->bss->last_interval_ns = c->before ? c->before->time_ns : 0;
	c->can_read_stats = !stats_read(&c->stats);
	c->can_read_gmem = !gmem_read(&c->gmem);
	s->measured = measured(c);
	s->unwanted = optional_missing(&c->optional);
	if (!c->bpf->bss->divide_exits)
		s->unwanted |= MEASURE_VCPUS | MEASURE_REASONS | MEASURE_USER_EXITS;
	if (!c->bpf->bss->count_ways)
		s->unwanted |= MEASURE_WAYS;
	describe_hooks(c, s);
}

static void fill_cost(struct collector *c, struct snapshot *s)
{
	uint64_t exits = c->ended_exits;

	for (size_t i = 0; i < s->lists[LIST_VMS].count; i++) {
		const struct top_vm *vm = snapshot_item(s, LIST_VMS, i);

		exits += vm->numbers.exits;
		c->ended_exits += vm->vm.ended ? vm->numbers.exits : 0;
	}
	s->lost_events += c->bpf->bss->lost_events;
	for (int cpu = 0; cpu < c->cpu_count; cpu++)
		s->lost_events += c->cpus[cpu].lost;
	s->lost_events += cost_read(&s->cost, c->bpf->obj, c->cost.stats_fd);
	looks_cost(&c->looks, s, c->cost.stats_fd);
	own_cost_estimate(&c->cost, &s->cost, exits, !fallback_is_sure(&c->hooks));
}

static int fill_snapshot(struct collector *c, struct snapshot *s)
{
	int err = 0;

	vm_table_list(&c->table);
	fallback_look(&fallback, &c->hooks, c->bpf->obj);
	vm_table_update(&c->table, fallback_tells_all(&c->hooks, METRIC_VM_END));
	fill_rest(c, s);
	for (uint32_t slot = 0; !err && slot < VM_SLOTS; slot++)
		if (c->table.owners[slot].listed)
			err = add_counted(c, s, slot);
	if (!err)
		err = series_add(&c->series, s, &c->table);
	if (!err)
		err = add_idle(c, s);
	tell_siblings_apart(s);
	snapshot_sort(s);
	if (!err)
		err = looks_read(&c->looks, &c->table, c->has_policies, c->before, s);
	/* A VM may have got its first policy. */
	attach_optional(c);
	snapshot_sort(s);
	vm_table_release(&c->table);
	fill_cost(c, s);
	return err;
}

struct snapshot *collector_snapshot(void *collector)
{
	struct collector *c = collector;
	struct snapshot *s = snapshot_new(top_lists, LIST_COUNT);

	if (s && fill_snapshot(c, s)) {
		snapshot_free(s);
		return NULL;
	}
	snapshot_free(c->before);
	c->before = snapshot_hold(s);
	return s;
}
