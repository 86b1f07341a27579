// SPDX-License-Identifier: GPL-2.0
#include "looks.h"

#include <stdio.h>

#include "figures.h"
#include "memmap.skel.h"
#include "rows.h"

#define MEASURES_CHAIN	(MEASURE_CHAINS | MEASURE_CHAIN_EXITS | MEASURE_CHAIN_FAULTS)
#define MEASURES_MAP	(MEASURE_MAP | MEASURE_MAP_ATTRIBUTES | MEASURE_MAP_CONVERSIONS | MEASURE_MAP_FAULTS)

static void add_cost(struct snapshot_cost *sum, uint64_t *lost, const struct bpf_object *object, int stats_fd)
{
	struct snapshot_cost cost;

	*lost += cost_read(&cost, object, stats_fd);
	sum->ns += cost.ns;
	sum->runs += cost.runs;
}

/* Totals do not become smaller when nobody looks any more. */
static void stop_map(struct looks *looks, int stats_fd)
{
	if (!looks->map.bpf)
		return;
	add_cost(&looks->gone, &looks->gone_lost, looks->map.bpf->obj, stats_fd);
	looks->gone_lost += looks->map.bpf->bss->lost_events;
	memmap_stop(&looks->map);
}

/* If one of them cannot be collected, it is n/a, and the rest is shown all the same. */
void looks_want(struct looks *looks, unsigned int measures, const struct snapshot_vm *vm, int stats_fd)
{
	if (measures & MEASURES_CHAIN)
		chain_start(&looks->chain);
	else
		chain_stop(&looks->chain);
	looks->vm = vm ? *vm : (struct snapshot_vm){};
	if (measures & MEASURES_MAP)
		memmap_probe(&looks->map);
	if (measures & MEASURES_MAP && vm)
		memmap_start(&looks->map);
	else
		stop_map(looks, stats_fd);
}

static int read_map(struct looks *looks, const struct vm_table *table, bool patched, const struct snapshot *before,
		    struct snapshot *s)
{
	for (uint32_t slot = 0; slot < VM_SLOTS; slot++) {
		const struct vm_owner *owner = &table->owners[slot];
		const struct map_vm vm = { owner->birth, table->shared[slot].kvm, owner->vm.dir };

		if (owner->listed && !owner->ended && looks->vm.birth && owner->birth == looks->vm.birth)
			return memmap_read(&looks->map, &vm, patched, before, s, LIST_RUNS, LIST_BLOCKS);
	}
	return 0;
}

_Static_assert(METRIC_MAP + MAP_METRICS <= HOOKS_MAX, "a snapshot has room for them");

static void describe(const struct fallback *fallback, const struct hooks *hooks, bool probed, int metric,
		     struct snapshot_hook *text)
{
	fallback_describe(fallback, hooks, metric, text);
	if (probed)
		return;
	snprintf(text->hook, sizeof(text->hook), "-");
	snprintf(text->note, sizeof(text->note), "nobody has looked at it so far");
}

/* The hooks of the map come after those of chains, which come after the tool's others. */
static void describe_hooks(const struct looks *looks, struct snapshot *s)
{
	const struct chain *chain = &looks->chain;
	const struct memmap *map = &looks->map;

	if (!chain->probed && !map->probed)
		return;
	for (int metric = 0; metric < CHAIN_METRICS; metric++)
		describe(&chain_fallback, &chain->hooks, chain->probed, metric, &s->hooks[METRIC_CHAINS + metric]);
	for (int metric = 0; metric < MAP_METRICS; metric++)
		describe(&map_fallback, &map->hooks, map->probed, metric, &s->hooks[METRIC_MAP + metric]);
	s->hook_count = METRIC_MAP + MAP_METRICS;
}

static bool has_policies(const struct snapshot *s)
{
	for (size_t i = 0; i < s->lists[LIST_VMS].count; i++)
		if (((const struct top_vm *)snapshot_item(s, LIST_VMS, i))->policy[0])
			return true;
	return false;
}

int looks_read(struct looks *looks, const struct vm_table *table, bool patched, const struct snapshot *before,
	       struct snapshot *s)
{
	int err;

	s->lost_events += looks->gone_lost;
	if (!looks->chain.ranges)
		s->unwanted |= MEASURES_CHAIN;
	if (!looks->map.bpf)
		s->unwanted |= MEASURES_MAP;
	chain_watch_zaps(&looks->chain, has_policies(s));
	err = chain_read(&looks->chain, table, s, LIST_CHAINS, LIST_CHAIN_WORSTS);
	if (!err)
		err = read_map(looks, table, patched, before, s);
	memmap_tell(&looks->map, patched, s);
	describe_hooks(looks, s);
	return err;
}

void looks_cost(const struct looks *looks, struct snapshot *s, int stats_fd)
{
	s->cost.ns += looks->gone.ns;
	s->cost.runs += looks->gone.runs;
	if (looks->map.bpf)
		add_cost(&s->cost, &s->lost_events, looks->map.bpf->obj, stats_fd);
}

void looks_close(struct looks *looks)
{
	chain_stop(&looks->chain);
	memmap_stop(&looks->map);
}
