// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "collect.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "bpf_maps.h"
#include "clock.h"
#include "cpus.h"
#include "hooks.h"
#include "memattr-top.skel.h"

/* Userspace's knowledge of a VM. */
struct owner {
	uint64_t birth;		/* of the slot's VM when this was filled in: the slot may be another VM's by now */
	struct vm vm;
	char policy[VM_POLICY_NAME_LEN];
	bool policy_known;
};

struct collector {
	struct hooks hooks;
	struct memattr_top_bpf *bpf;
	int stats_fd;		/* the kernel times BPF programs for as long as it is open */
	struct vm_slot *vms;	/* VM_SLOTS of them, shared with the kernel, as are counts and cpus */
	struct top_counts *counts;
	struct top_cpu *cpus;
	int cpu_count;

	bool debugfs;
	int debugfs_watch;	/* inotify: readable when a VM came or went; -1: the kernel has no inotify */
	bool listed;		/* the list is up to date */
	struct vm_list list;
	struct owner owners[VM_SLOTS];
	bool has_policies;	/* the kernel has policies, and debugfs shows them */
	struct owner *idle;	/* VMs that had no slot at the last snapshot */
	size_t idle_count;
};

static int load(struct collector *c, struct diag *why)
{
	int err;

	c->bpf = memattr_top_bpf__open();
	err = c->bpf ? ladder_select(&ladder, &c->hooks, c->bpf->obj) : -errno;
	if (!err)
		err = bpf_map__set_max_entries(c->bpf->maps.cpus, c->cpu_count);
	if (!err)
		err = memattr_top_bpf__load(c->bpf);
	if (err) {
		diag_bpf_load(why, err);
		return err;
	}

	err = push_all(c->bpf->maps.free_slots);
	if (!err) {
		c->vms = map_shared(c->bpf->maps.vms);
		c->counts = map_shared(c->bpf->maps.counts);
		c->cpus = map_shared(c->bpf->maps.cpus);
		if (!c->vms || !c->counts || !c->cpus)
			err = -errno;
	}
	if (!err)
		err = memattr_top_bpf__attach(c->bpf);
	if (err)
		diag_set(why, "run it again with -v", "cannot start counting: %s", strerror(-err));
	return err;
}

struct collector *collector_open(struct diag *why)
{
	struct collector *c = calloc(1, sizeof(*c));

	if (!c) {
		diag_set(why, "", "out of memory");
		return NULL;
	}
	c->stats_fd = -1;
	c->debugfs_watch = -1;
	c->cpu_count = cpus_end(POSSIBLE_CPUS);
	if (c->cpu_count < 0)
		diag_set(why, "mount -t sysfs sysfs /sys", "cannot read " POSSIBLE_CPUS ": %s",
			 strerror(-c->cpu_count));

	if (c->cpu_count < 0 || ladder_probe(&ladder, &c->hooks, why) || load(c, why)) {
		collector_close(c);
		return NULL;
	}
	/* This may fail: the cost then reads n/a. */
	c->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	c->debugfs = diag_has(DIAG_DEBUGFS, NULL);
	c->has_policies = c->debugfs && diag_has(DIAG_MEMATTR, NULL);
	if (c->debugfs) {
		c->debugfs_watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (inotify_add_watch(c->debugfs_watch, KVM_DEBUGFS, IN_CREATE | IN_DELETE) < 0) {
			close(c->debugfs_watch);
			c->debugfs_watch = -1;
		}
	}
	return c;
}

void collector_close(struct collector *c)
{
	if (c->debugfs_watch >= 0)
		close(c->debugfs_watch);
	if (c->stats_fd >= 0)
		close(c->stats_fd);
	if (c->bpf) {
		unmap_shared(c->bpf->maps.vms, c->vms);
		unmap_shared(c->bpf->maps.counts, c->counts);
		unmap_shared(c->bpf->maps.cpus, c->cpus);
	}
	memattr_top_bpf__destroy(c->bpf);
	vm_list_free(&c->list);
	free(c->idle);
	free(c);
}

void snapshot_free(struct snapshot *snapshot)
{
	if (snapshot)
		free(snapshot->vms);
	free(snapshot);
}

/*
 * Listing VMs walks all of /proc. If the kernel reports when a VM comes or goes, do it only then. If the
 * list cannot be read, try again at the next snapshot.
 */
static void list_vms(struct collector *c)
{
	struct vm_list list;
	char events[4096];

	if (!c->debugfs)
		return;
	while (read(c->debugfs_watch, events, sizeof(events)) > 0)
		c->listed = false;
	if (c->debugfs_watch < 0)
		c->listed = false;
	if (c->listed || vm_list_read(&list, 0))
		return;
	vm_list_free(&c->list);
	c->list = list;
	c->listed = true;
}

static bool is_same(const struct vm *a, const struct vm *b)
{
	return a->creator_tid == b->creator_tid && a->fd == b->fd;
}

static bool is_listed(const struct collector *c, const struct vm *vm)
{
	for (size_t i = 0; i < c->list.count; i++)
		if (is_same(&c->list.vms[i], vm))
			return true;
	return false;
}

static void read_policy(const struct collector *c, struct owner *owner)
{
	struct vm_policy policy;

	/* The file goes a little before the VM does: then keep the policy that was read last. */
	if (!c->has_policies || !owner->vm.creator_tid || vm_policy_read(&owner->vm, &policy))
		return;
	owner->policy_known = true;
	memcpy(owner->policy, policy.policy, sizeof(owner->policy));
}

static void meet_owner(const struct collector *c, struct owner *owner,
		       const struct vm_slot *shared)
{
	pid_t pid;

	*owner = (struct owner){};
	vm_slot_owner(shared, &owner->vm);
	pid = owner->vm.pid;
	/* The VM may be gone already, but may have been listed before its first event. */
	for (size_t i = 0; owner->vm.creator_tid && i < c->idle_count; i++) {
		if (is_same(&c->idle[i].vm, &owner->vm)) {
			*owner = c->idle[i];
			break;
		}
	}
	owner->birth = shared->birth;
	owner->vm.pid = pid;
}

/* Detects a VM's end where the kernel does not report it (no METRIC_VM_END). */
static bool has_vanished(const struct collector *c, const struct owner *owner,
			 const struct vm_slot *shared)
{
	if (c->listed && owner->vm.creator_tid)
		return !is_listed(c, &owner->vm);
	return kill(shared->pid, 0) && errno == ESRCH;
}

static void new_epoch(struct collector *c)
{
	__atomic_fetch_add(&c->bpf->data->epoch, 1, __ATOMIC_SEQ_CST);
}

/* Only for slots whose VM has ended: the kernel no longer writes to them. */
static void clear_slot(struct collector *c, uint32_t slot)
{
	c->owners[slot] = (struct owner){};
	memset(&c->vms[slot], 0, sizeof(c->vms[slot]));
	memset(&c->counts[slot], 0, sizeof(c->counts[slot]));
	for (int cpu = 0; cpu < c->cpu_count; cpu++)
		c->cpus[cpu].exits[slot] = 0;
	push(c->bpf->maps.free_slots, slot);
	/* CPUs may remember that a VM found no slot. */
	new_epoch(c);
}

static struct snapshot_vm *add_vm(struct snapshot *s, const struct owner *owner)
{
	struct snapshot_vm *vm = &s->vms[s->vm_count++];

	vm->pid = owner->vm.pid;
	vm->creator_tid = owner->vm.creator_tid;
	vm->fd = owner->vm.fd;
	memcpy(vm->name, owner->vm.name, sizeof(vm->name));
	memcpy(vm->policy, owner->policy, sizeof(vm->policy));
	vm->policy_known = owner->policy_known;
	return vm;
}

static void add_counted(struct collector *c, struct snapshot *s, uint32_t slot)
{
	struct owner *owner = &c->owners[slot];
	struct vm_slot *shared = &c->vms[slot];
	struct snapshot_vm *vm;

	if (owner->birth != shared->birth) {
		meet_owner(c, owner, shared);
	} else if (!ladder_tells_all(&c->hooks, METRIC_VM_END) && !shared->ended &&
		   has_vanished(c, owner, shared)) {
		bpf_map_delete_elem(bpf_map__fd(c->bpf->maps.slots), &shared->kvm);
		new_epoch(c);
		shared->ended = true;
	}
	if (!shared->ended)
		read_policy(c, owner);

	vm = add_vm(s, owner);
	vm->birth = shared->birth;
	/* Read this before the counts: what is counted in between is in the next snapshot. */
	vm->ended = __atomic_load_n(&shared->ended, __ATOMIC_ACQUIRE);
	vm->counts = c->counts[slot];
	for (int cpu = 0; cpu < c->cpu_count; cpu++)
		vm->exits += c->cpus[cpu].exits[slot];
	if (vm->ended)
		clear_slot(c, slot);
}

/* A VM that has just ended may still be listed. */
static bool has_slot(const struct snapshot *s, const struct vm *listed)
{
	for (size_t i = 0; i < s->vm_count; i++)
		if (s->vms[i].birth && s->vms[i].fd == listed->fd &&
		    s->vms[i].creator_tid == listed->creator_tid)
			return true;
	return false;
}

/* Adds VMs that are listed and have no slot. */
static void add_idle(struct collector *c, struct snapshot *s)
{
	struct owner *idle = reallocarray(c->idle, c->list.count + 1, sizeof(*idle));

	if (!idle)
		return;
	c->idle = idle;
	c->idle_count = 0;
	for (size_t i = 0; i < c->list.count; i++) {
		const struct vm *listed = &c->list.vms[i];
		struct owner *owner;

		if (!listed->creator_tid || has_slot(s, listed))
			continue;
		owner = &c->idle[c->idle_count++];
		*owner = (struct owner){ .vm = *listed };
		read_policy(c, owner);
		add_vm(s, owner);
	}
}

/* If a process has several VMs, the name alone does not tell them apart. */
static void tell_siblings_apart(struct snapshot *s)
{
	for (size_t i = 0; i < s->vm_count; i++) {
		struct snapshot_vm *vm = &s->vms[i];

		for (size_t k = 0; k < s->vm_count; k++) {
			size_t len = strnlen(vm->name, VM_NAME_LEN - 12);

			if (k == i || s->vms[k].pid != vm->pid || !vm->creator_tid)
				continue;
			snprintf(vm->name + len, VM_NAME_LEN - len, "#%d", vm->fd);
			break;
		}
	}
}

struct snapshot *collector_snapshot(struct collector *c)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	list_vms(c);
	s->vms = calloc(VM_SLOTS + c->list.count, sizeof(*s->vms));
	if (!s->vms) {
		free(s);
		return NULL;
	}
	s->time_ns = monotonic_ns();
	s->wall = time(NULL);
	ladder_look(&ladder, &c->hooks, c->bpf->obj);
	s->measured = ladder_measures(&c->hooks) | (c->has_policies ? MEASURE_POLICY : 0);
	for (int metric = 0; metric < METRIC_COUNT; metric++)
		ladder_describe(&ladder, &c->hooks, metric, &s->hooks[metric]);

	for (uint32_t slot = 0; slot < VM_SLOTS; slot++)
		if (c->vms[slot].birth)
			add_counted(c, s, slot);
	s->idle_listed = c->listed;
	add_idle(c, s);
	tell_siblings_apart(s);

	s->lost_events = c->bpf->bss->lost_events;
	for (int cpu = 0; cpu < c->cpu_count; cpu++)
		s->lost_events += c->cpus[cpu].lost;
	s->lost_events += cost_read(&s->cost, c->bpf->obj, c->stats_fd);
	return s;
}
