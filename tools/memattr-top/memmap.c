// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "memmap.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_maps.h"
#include "figures.h"
#include "kvm_core.h"
#include "memmap.skel.h"
#include "pf_results.h"

/* A VMM replaces memslots seldom. */
#define LISTING_TRIES	3

static int load(struct memmap *map)
{
	struct kvm_core core;
	int err = kvm_core_open(&core);

	if (!err) {
		map->bpf = memmap_bpf__open_opts(core.options);
		err = map->bpf ? fallback_select(&map_fallback, &map->hooks, map->bpf->obj) : -errno;
	}
	if (!err)
		err = pf_results_read(&map->bpf->rodata->ret_pf_fixed, &map->bpf->rodata->ret_pf_spurious);
	if (!err)
		err = memmap_bpf__load(map->bpf);
	kvm_core_close(&core);
	if (err)
		return err;
	map->slots = map_shared(map->bpf->maps.memslots);
	if (!map->slots)
		return -errno;
	return memmap_bpf__attach(map->bpf);
}

void memmap_probe(struct memmap *map)
{
	struct diag why;

	if (!map->probed)
		fallback_probe(&map_fallback, &map->hooks, &why);
	map->probed = true;
}

int memmap_start(struct memmap *map)
{
	int err;

	if (map->bpf || map->error)
		return map->error;
	/* Without any hook, memslots and attributes are shown all the same. */
	memmap_probe(map);
	err = load(map);
	if (!err)
		return 0;
	memmap_stop(map);
	fallback_give_up(&map_fallback, &map->hooks, err);
	map->error = err;
	return err;
}

void memmap_stop(struct memmap *map)
{
	if (map->bpf && map->slots)
		unmap_shared(map->bpf->maps.memslots, map->slots);
	memmap_bpf__destroy(map->bpf);
	gfn_ranges_free(&map->ranges);
	*map = (struct memmap){ .probed = map->probed, .error = map->error, .hooks = map->hooks };
}

struct blocks {
	struct memmap_key *keys;
	struct memmap_block *blocks;
	int count;
};

/* Returns 0 or -errno. */
static int read_blocks(const struct memmap *map, struct blocks *blocks)
{
	blocks->keys = calloc(MEMMAP_BLOCKS, sizeof(*blocks->keys));
	blocks->blocks = calloc(MEMMAP_BLOCKS, sizeof(*blocks->blocks));
	blocks->count = blocks->keys && blocks->blocks ?
			map_read_all(map->bpf->maps.blocks, blocks->keys, blocks->blocks, MEMMAP_BLOCKS) : -ENOMEM;
	return blocks->count < 0 ? blocks->count : 0;
}

static void free_blocks(struct blocks *blocks)
{
	free(blocks->keys);
	free(blocks->blocks);
}

/* Drops what is known of the VM that was shown before. */
static int show(struct memmap *map, const struct map_vm *vm)
{
	struct blocks old;
	__u32 count;
	int err;

	map->bpf->bss->shown_kvm = 0;
	err = read_blocks(map, &old);
	count = err ? 0 : old.count;
	if (count)
		err = bpf_map_delete_batch(bpf_map__fd(map->bpf->maps.blocks), old.keys, &count, NULL);
	free_blocks(&old);
	if (err)
		return err;
	gfn_ranges_free(&map->ranges);
	map->birth = vm->birth;
	map->generation = UINT64_MAX;
	map->bpf->bss->shown_kvm = vm->kvm;
	return 0;
}

/* Returns 0, -ENOENT: the VM has gone, or another -errno. */
static int list_memslots(const struct memmap *map)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	int err, result = -EAGAIN;

	for (int i = 0; i < LISTING_TRIES && result == -EAGAIN; i++) {
		err = bpf_prog_test_run_opts(bpf_program__fd(map->bpf->progs.list_memslots), &options);
		if (err)
			return err;
		result = (int)options.retval;
	}
	return result;
}

/* Reads which memory is private, unless nothing can have changed since the last time. */
static int read_attributes(struct memmap *map, const struct map_vm *vm)
{
	uint64_t changes = map->bpf->bss->changes, generation = map->bpf->bss->generation;
	int err;

	if (map->hooks.active[MAP_CONVERSIONS] && !map->ranges.next && changes == map->changes &&
	    generation == map->generation)
		return 0;
	err = gfn_ranges_read(&map->ranges, vm->dir);
	/* A VM that cannot have private memory has no such file. */
	map->no_attributes = err && err != -ENOENT;
	map->changes = changes;
	map->generation = generation;
	return err == -ENOMEM ? err : 0;
}

static int compare_slots(const void *a, const void *b)
{
	const struct memmap_slot *left = a, *right = b;

	return (left->gfn_start > right->gfn_start) - (left->gfn_start < right->gfn_start);
}

static int add_runs(const struct memmap *map, bool has_attributes, struct snapshot *s, int list)
{
	size_t count = map->bpf->bss->slot_count < MEMMAP_SLOTS ? map->bpf->bss->slot_count : MEMMAP_SLOTS;
	struct memmap_slot slots[MEMMAP_SLOTS];

	memcpy(slots, map->slots, count * sizeof(*slots));
	qsort(slots, count, sizeof(*slots), compare_slots);
	return map_add_runs(s, list, map->birth, slots, count, has_attributes ? &map->ranges : NULL);
}

static int add_blocks(const struct memmap *map, struct snapshot *s, int list)
{
	struct blocks blocks;
	int err = read_blocks(map, &blocks);

	for (int i = 0; !err && i < blocks.count; i++) {
		const struct memmap_key *key = &blocks.keys[i];
		const struct memmap_block *from = &blocks.blocks[i];
		struct map_block *block = snapshot_add(s, list);

		err = block ? 0 : -ENOMEM;
		if (err)
			break;
		*block = (struct map_block){
			.birth = map->birth, .gfn_start = key->gfn, .gfn_end = key->gfn + key->pages,
			.changed_ns = from->changed_ns, .conversions = from->conversions, .faults = from->faults,
			.to_private = from->attributes != 0, .level = from->level,
		};
	}
	free_blocks(&blocks);
	return err;
}

int memmap_read(struct memmap *map, const struct map_vm *vm, bool patched, const struct snapshot *before,
		struct snapshot *s, int runs, int blocks)
{
	int err = 0;

	if (!map->bpf || !vm->kvm)
		return 0;
	if (vm->birth != map->birth)
		err = show(map, vm);
	if (!err)
		err = list_memslots(map);
	/* The VM may be about to end, or its memslots may change all the time: there is no map of this moment. */
	if (err == -ENOENT || err == -EAGAIN)
		return 0;
	if (!err && patched && vm->dir[0])
		err = read_attributes(map, vm);
	if (!err)
		err = add_runs(map, patched && vm->dir[0] && !map->no_attributes, s, runs);
	if (!err && before)
		err = map_add_gone(s, runs, map->birth, before);
	if (!err)
		err = add_blocks(map, s, blocks);
	return err;
}

void memmap_tell(struct memmap *map, bool patched, struct snapshot *s)
{
	if (!map->probed || map->error)
		return;
	if (map->bpf) {
		fallback_look(&map_fallback, &map->hooks, map->bpf->obj);
		s->lost_events += map->bpf->bss->lost_events;
	}
	s->measured |= fallback_measures(&map->hooks) | MEASURE_MAP;
	if (patched && !map->no_attributes)
		s->measured |= MEASURE_MAP_ATTRIBUTES;
}
