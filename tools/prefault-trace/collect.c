// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "collect.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf_maps.h"
#include "clock.h"
#include "hooks.h"
#include "prefault-trace.skel.h"
#include "stacks.h"
#include "use.h"

/* Userspace's knowledge of a VM. */
struct owner {
	uint64_t birth;		/* of the slot's VM when this was filled in: the slot may be another VM's by now */
	struct vm vm;
	struct use use;
};

struct collector {
	struct collector_options options;
	struct hooks hooks;
	struct prefault_trace_bpf *bpf;
	int stats_fd;		/* the kernel times BPF programs for as long as it is open */
	struct vm_slot *vms;	/* VM_SLOTS of them, shared with the kernel, as is series */
	struct trace_series *series;
	struct owner owners[VM_SLOTS];
	bool listed[VM_SLOTS];	/* the slot's VM is in the snapshot that is being made */
	bool leaving[VM_SLOTS];	/* and for the last time, as it has ended */
	struct symbols *symbols;	/* NULL: not needed yet */
	size_t vm_count;	/* in the previous snapshot, or 1 */
	bool has_use;
	struct snapshot_hook use_hook;
};

static int size_maps(struct collector *c)
{
	int err = bpf_map__set_max_entries(c->bpf->maps.series, c->options.series);

	if (!err)
		err = bpf_map__set_max_entries(c->bpf->maps.series_ids, c->options.series);
	if (!err)
		err = bpf_map__set_max_entries(c->bpf->maps.free_series, c->options.series);
	/* Save some hundred KiB that only --folded uses. */
	if (!err && !c->options.fold_stacks)
		err = bpf_map__set_max_entries(c->bpf->maps.stacks, 1);
	return err;
}

static int load(struct collector *c, struct diag *why)
{
	int err;

	c->bpf = prefault_trace_bpf__open();
	err = c->bpf ? hooks_select(&c->hooks, c->bpf) : -errno;
	if (!err)
		err = size_maps(c);
	if (!err) {
		c->bpf->rodata->only_pid = c->options.pid;
		c->bpf->rodata->fold_stacks = c->options.fold_stacks;
		err = prefault_trace_bpf__load(c->bpf);
	}
	if (err) {
		diag_bpf_load(why, err);
		return err;
	}

	err = push_all(c->bpf->maps.free_slots);
	if (!err)
		err = push_all(c->bpf->maps.free_series);
	if (!err) {
		c->vms = map_shared(c->bpf->maps.vms);
		c->series = map_shared(c->bpf->maps.series);
		if (!c->vms || !c->series)
			err = -errno;
	}
	if (!err)
		err = prefault_trace_bpf__attach(c->bpf);
	if (err)
		diag_set(why, "run it again with -v", "cannot start counting: %s", strerror(-err));
	return err;
}

struct collector *collector_open(const struct collector_options *options, struct diag *why)
{
	struct collector *c = calloc(1, sizeof(*c));

	if (!c) {
		diag_set(why, "", "out of memory");
		return NULL;
	}
	c->options = *options;
	c->vm_count = 1;
	c->stats_fd = -1;
	if (ladder_probe(&ladder, &c->hooks, why) || load(c, why)) {
		collector_close(c);
		return NULL;
	}
	c->has_use = use_probe(&c->use_hook);
	/* This may fail: the cost then reads n/a. */
	c->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	return c;
}

void collector_close(struct collector *c)
{
	if (c->stats_fd >= 0)
		close(c->stats_fd);
	if (c->bpf) {
		unmap_shared(c->bpf->maps.vms, c->vms);
		unmap_shared(c->bpf->maps.series, c->series);
	}
	prefault_trace_bpf__destroy(c->bpf);
	symbols_free(c->symbols);
	free(c);
}

static bool has_ended(struct collector *c, struct vm_slot *shared)
{
	if (__atomic_load_n(&shared->ended, __ATOMIC_ACQUIRE))
		return true;
	/* The kernel may not have reported it. */
	if (ladder_tells_all(&c->hooks, METRIC_VM_END) || !kill(shared->pid, 0) || errno != ESRCH)
		return false;
	bpf_map_delete_elem(bpf_map__fd(c->bpf->maps.slots), &shared->kvm);
	__atomic_fetch_add(&c->bpf->data->epoch, 1, __ATOMIC_SEQ_CST);
	return true;
}

/* Called after has_ended(): for a VM that has ended, the slot has the kernel's final counts. */
static void find_use(struct collector *c, const struct vm_slot *shared, struct owner *owner,
		     struct snapshot_vm *vm)
{
	if (!c->has_use)
		return;
	if (!vm->ended)
		use_read(&owner->use, shared->dir, c->vm_count);
	else if (shared->ended)
		owner->use.last = (struct snapshot_use){
			.time_ns = monotonic_ns(),
			.prefaulted = shared->prefaulted,
			.unused = shared->unused,
		};
	vm->use = owner->use.last;
}

static void add_vms(struct collector *c, struct snapshot *s)
{
	for (uint32_t slot = 0; slot < VM_SLOTS; slot++) {
		struct vm_slot *shared = &c->vms[slot];
		struct snapshot_vm *vm = &s->vms[s->vm_count];
		struct owner *owner = &c->owners[slot];

		c->leaving[slot] = false;
		c->listed[slot] = shared->birth;
		if (!c->listed[slot])
			continue;
		if (owner->birth != shared->birth) {
			*owner = (struct owner){ .birth = shared->birth };
			vm_slot_owner(shared, &owner->vm);
		}
		vm->birth = shared->birth;
		vm->pid = shared->pid;
		vm->fd = owner->vm.fd;
		/* Read this before the counts: what is counted in between is in the next snapshot. */
		vm->ended = c->leaving[slot] = has_ended(c, shared);
		find_use(c, shared, owner, vm);
		memcpy(vm->name, owner->vm.name, sizeof(vm->name));
		s->vm_count++;
	}
}

/* If a process has several VMs, the name alone does not tell them apart. */
static void tell_siblings_apart(struct snapshot *s)
{
	for (size_t i = 0; i < s->vm_count; i++) {
		struct snapshot_vm *vm = &s->vms[i];

		for (size_t k = 0; k < s->vm_count; k++) {
			size_t len = strnlen(vm->name, VM_NAME_LEN - 12);

			if (k == i || s->vms[k].pid != vm->pid || vm->fd < 0)
				continue;
			snprintf(vm->name + len, VM_NAME_LEN - len, "#%d", vm->fd);
			break;
		}
	}
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

/* Makes room for one more series. */
static struct snapshot_series *next_series(struct snapshot *s, size_t *room)
{
	if (s->series_count == *room) {
		size_t more = *room ? 2 * *room : 16;
		struct snapshot_series *series = reallocarray(s->series, more, sizeof(*series));

		if (!series)
			return NULL;
		s->series = series;
		*room = more;
	}
	return &s->series[s->series_count++];
}

/*
 * Must see all series of a VM that leaves: they refer to its slot, which another VM takes
 * afterwards.
 */
static int add_series(struct collector *c, struct snapshot *s)
{
	size_t room = 0;

	for (uint32_t id = 0; id < c->options.series; id++) {
		const struct trace_series *shared = &c->series[id];
		struct snapshot_series *series;

		/* A VM that came after the VMs were listed is in the next snapshot. */
		if (!shared->used || shared->vm >= VM_SLOTS || !c->listed[shared->vm])
			continue;
		series = next_series(s, &room);
		if (!series)
			return -ENOMEM;
		series->birth = c->owners[shared->vm].birth;
		series->vcpu = shared->vcpu;
		series->kind = shared->kind;
		series->count = shared->count;
		series->ns = shared->ns;
		series->max_ns = shared->max_ns;
		series->pages = shared->pages;
		series->done_pages = shared->done_pages;
		memcpy(series->latency, shared->latency, sizeof(series->latency));
		if (c->leaving[shared->vm])
			free_series(c, id);
	}
	if (s->series_count)
		qsort(s->series, s->series_count, sizeof(*s->series), snapshot_compare_series);
	return 0;
}

static void free_slots(struct collector *c)
{
	for (uint32_t slot = 0; slot < VM_SLOTS; slot++) {
		if (!c->leaving[slot])
			continue;
		c->owners[slot] = (struct owner){};
		memset(&c->vms[slot], 0, sizeof(c->vms[slot]));
		push(c->bpf->maps.free_slots, slot);
	}
}

static int add_stacks(struct collector *c, struct snapshot *s)
{
	const struct stack_maps maps = {
		.slow = bpf_map__fd(c->bpf->maps.slow),
		.slow_size = bpf_map__value_size(c->bpf->maps.slow),
		.times = bpf_map__fd(c->bpf->maps.stack_times),
		.stacks = bpf_map__fd(c->bpf->maps.stacks),
	};
	int err = stacks_add_slow(s, &maps, &c->symbols);

	s->folded = c->options.fold_stacks;
	if (!err && s->folded)
		err = stacks_add_folded(s, &maps, &c->symbols);
	return err;
}

struct snapshot *collector_snapshot(struct collector *c)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->vms = calloc(VM_SLOTS, sizeof(*s->vms));
	if (!s->vms) {
		free(s);
		return NULL;
	}
	s->time_ns = monotonic_ns();
	s->wall = time(NULL);
	ladder_look(&ladder, &c->hooks, c->bpf->obj);
	s->measured = ladder_measures(&c->hooks);
	for (int metric = 0; metric < METRIC_COUNT; metric++)
		ladder_describe(&ladder, &c->hooks, metric, &s->hooks[metric]);
	s->hooks[METRIC_USE] = c->use_hook;
	if (c->has_use)
		s->measured |= MEASURE_USE;

	add_vms(c, s);
	c->vm_count = s->vm_count ?: 1;
	if (add_series(c, s) || add_stacks(c, s)) {
		snapshot_free(s);
		return NULL;
	}
	free_slots(c);
	tell_siblings_apart(s);

	s->lost_events = c->bpf->bss->lost_events;
	s->lost_stacks = c->bpf->bss->lost_stacks;
	s->lost_events += cost_read(&s->cost, c->bpf->obj, c->stats_fd);
	return s;
}
