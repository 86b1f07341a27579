// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
/* The collector reads BPF maps and /proc, and makes snapshots. */
#include "figures.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf_maps.h"
#include "clock.h"
#include "hooks.h"
#include "kvm_core.h"
#include "prefault-trace.skel.h"
#include "stacks.h"
#include "use.h"
#include "vm_table.h"

struct collector {
	const struct args *args;
	unsigned int series_count;	/* how many there can be */
	struct hooks hooks;
	struct prefault_trace_bpf *bpf;
	int stats_fd;		/* the kernel times BPF programs for as long as it is open */
	struct vm_table table;
	struct trace_series *series;	/* shared with the kernel */
	struct {
		uint64_t birth;
		struct use use;
	} uses[VM_SLOTS];
	struct symbols *symbols;	/* NULL: not needed yet */
	size_t vm_count;	/* in the previous snapshot, or 1 */
	bool has_use;
	struct snapshot_hook use_hook;
};

static int size_maps(struct collector *c)
{
	int err = bpf_map__set_max_entries(c->bpf->maps.series, c->series_count);

	if (!err)
		err = bpf_map__set_max_entries(c->bpf->maps.series_ids, c->series_count);
	if (!err)
		err = bpf_map__set_max_entries(c->bpf->maps.free_series, c->series_count);
	/* Save some hundred KiB that only --folded uses. */
	if (!err && !c->args->folded)
		err = bpf_map__set_max_entries(c->bpf->maps.stacks, 1);
	return err;
}

static int load(struct collector *c, struct diag *why)
{
	struct kvm_core core;
	int err = kvm_core_open(&core);

	if (!err) {
		c->bpf = prefault_trace_bpf__open_opts(core.options);
		err = c->bpf ? hooks_select(&c->hooks, c->bpf) : -errno;
	}
	if (!err)
		err = size_maps(c);
	if (!err) {
		c->bpf->rodata->only_pid = c->args->pid;
		c->bpf->rodata->fold_stacks = c->args->folded;
		err = prefault_trace_bpf__load(c->bpf);
	}
	kvm_core_close(&core);
	if (err) {
		diag_bpf_load(why, err);
		return err;
	}

	err = vm_table_open(&c->table, c->bpf->maps.vms, c->bpf->maps.slots, c->bpf->maps.free_slots,
			    &c->bpf->data->epoch);
	if (!err)
		err = push_all(c->bpf->maps.free_series);
	if (!err) {
		c->series = map_shared(c->bpf->maps.series);
		if (!c->series)
			err = -errno;
	}
	if (!err)
		err = prefault_trace_bpf__attach(c->bpf);
	if (err)
		diag_set(why, "run it again with -v", "cannot start counting: %s", strerror(-err));
	return err;
}

void *collector_open(const struct args *args, struct diag *why)
{
	struct collector *c = calloc(1, sizeof(*c));

	if (!c) {
		diag_set(why, "", "out of memory");
		return NULL;
	}
	c->args = args;
	c->series_count = ((const struct trace_args *)args)->series;
	c->vm_count = 1;
	c->stats_fd = -1;
	if (fallback_probe(&fallback, &c->hooks, why) || load(c, why)) {
		collector_close(c);
		return NULL;
	}
	c->has_use = use_probe(&c->use_hook);
	/* This may fail: the cost then reads n/a. */
	c->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	return c;
}

void collector_close(void *collector)
{
	struct collector *c = collector;

	if (c->stats_fd >= 0)
		close(c->stats_fd);
	vm_table_close(&c->table);
	if (c->bpf)
		unmap_shared(c->bpf->maps.series, c->series);
	prefault_trace_bpf__destroy(c->bpf);
	symbols_free(c->symbols);
	free(c);
}

/* For a VM that has ended, the slot has the kernel's final counts. */
static void find_use(struct collector *c, uint32_t slot, struct trace_vm *vm)
{
	const struct vm_slot *shared = &c->table.shared[slot];
	struct use *use = &c->uses[slot].use;

	if (!c->has_use)
		return;
	if (c->uses[slot].birth != vm->vm.birth) {
		*use = (struct use){};
		c->uses[slot].birth = vm->vm.birth;
	}
	if (!vm->vm.ended)
		use_read(use, shared->dir, c->vm_count);
	else if (!c->table.owners[slot].vanished)
		use->last = (struct vm_use){
			.time_ns = monotonic_ns(),
			.mapped = shared->prefaulted,
			.unused = shared->unused,
		};
	vm->use = use->last;
}

static int add_vms(struct collector *c, struct snapshot *s)
{
	for (uint32_t slot = 0; slot < VM_SLOTS; slot++) {
		const struct vm_owner *owner = &c->table.owners[slot];
		struct trace_vm *vm;

		if (!owner->listed)
			continue;
		vm = snapshot_add(s, LIST_VMS);
		if (!vm)
			return -ENOMEM;
		vm_table_identify(&vm->vm, &owner->vm, owner->birth, owner->ended);
		find_use(c, slot, vm);
	}
	c->vm_count = s->lists[LIST_VMS].count ?: 1;
	return 0;
}

/* The series' VM has ended: the kernel no longer writes to it. */
static void free_series(struct collector *c, uint32_t id)
{
	struct trace_series *shared = &c->series[id];
	struct trace_series_key key = {
		.vm = shared->vm,
		.vcpu = shared->vcpu,
		.kind = shared->kind,
	};

	bpf_map_delete_elem(bpf_map__fd(c->bpf->maps.series_ids), &key);
	memset(shared, 0, sizeof(*shared));
	push(c->bpf->maps.free_series, id);
}

/*
 * Must see all series of a VM that leaves: they refer to its slot, which another VM takes
 * afterwards.
 */
static int add_series(struct collector *c, struct snapshot *s)
{
	for (uint32_t id = 0; id < c->series_count; id++) {
		const struct trace_series *shared = &c->series[id];
		struct series *series;

		/* A VM that came after the VMs were listed is in the next snapshot. */
		if (!shared->used || shared->vm >= VM_SLOTS || !c->table.owners[shared->vm].listed)
			continue;
		series = snapshot_add(s, LIST_SERIES);
		if (!series)
			return -ENOMEM;
		series->birth = c->table.owners[shared->vm].birth;
		series->vcpu = shared->vcpu;
		series->kind = shared->kind;
		series->count = shared->count;
		series->ns = shared->ns;
		series->max_ns = shared->max_ns;
		series->pages = shared->pages;
		series->done_pages = shared->done_pages;
		if (histogram_set(&series->latency, shared->latency))
			return -ENOMEM;
		if (c->table.owners[shared->vm].ended)
			free_series(c, id);
	}
	return 0;
}

static struct stack_maps stack_maps(const struct collector *c)
{
	return (struct stack_maps){
		.slow = bpf_map__fd(c->bpf->maps.slow),
		.slow_size = bpf_map__value_size(c->bpf->maps.slow),
		.times = bpf_map__fd(c->bpf->maps.stack_times),
		.stacks = bpf_map__fd(c->bpf->maps.stacks),
	};
}

/* What is not in a list. */
static struct snapshot *new_snapshot(struct collector *c)
{
	struct snapshot *s = snapshot_new(trace_lists, LIST_COUNT);

	if (!s)
		return NULL;
	s->time_ns = monotonic_ns();
	s->wall = time(NULL);
	fallback_look(&fallback, &c->hooks, c->bpf->obj);
	s->measured = fallback_measures(&c->hooks) | (c->has_use ? MEASURE_USE : 0);
	s->hook_count = METRIC_COUNT;
	for (int metric = 0; metric < METRIC_COUNT; metric++)
		fallback_describe(&fallback, &c->hooks, metric, &s->hooks[metric]);
	s->hooks[METRIC_USE] = c->use_hook;
	s->has_stacks = c->args->folded;
	s->lost_stacks = c->bpf->bss->lost_stacks;
	return s;
}

struct snapshot *collector_snapshot(void *collector)
{
	struct collector *c = collector;
	struct snapshot *s = new_snapshot(c);
	const struct stack_maps maps = stack_maps(c);
	bool end_reported;

	if (!s)
		return NULL;
	end_reported = fallback_tells_all(&c->hooks, METRIC_VM_END);
	if (!end_reported)
		vm_table_list(&c->table);
	vm_table_update(&c->table, end_reported);
	if (add_vms(c, s) || add_series(c, s) || stacks_add_slow(s, &maps, &c->symbols)) {
		snapshot_free(s);
		return NULL;
	}
	vm_table_release(&c->table);
	tell_siblings_apart(s);
	snapshot_sort(s);
	s->lost_events = c->bpf->bss->lost_events + cost_read(&s->cost, c->bpf->obj, c->stats_fd);
	return s;
}

struct snapshot *collector_last(void *collector)
{
	struct collector *c = collector;
	struct snapshot *s = c->args->folded ? new_snapshot(c) : NULL;
	const struct stack_maps maps = stack_maps(c);

	if (s && stacks_add_folded(s, &maps, &c->symbols)) {
		snapshot_free(s);
		return NULL;
	}
	if (s)
		snapshot_sort(s);
	return s;
}
