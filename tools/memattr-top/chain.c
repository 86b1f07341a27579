// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "chain.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_maps.h"
#include "clock.h"
#include "figures.h"
#include "memattr-top.skel.h"

void chain_open(struct chain *chain, struct memattr_top_bpf *bpf)
{
	*chain = (struct chain){ .bpf = bpf };
	bpf_program__set_autoattach(bpf->progs.chain_exit_of_thread, false);
}

/* Drops what was collected when somebody looked before. The kernel does not write to any of this now. */
static int clear(const struct chain *chain)
{
	__u64 *keys = calloc(CHAIN_PIECES, sizeof(*keys)), *values = calloc(CHAIN_PIECES, sizeof(*values));
	int count = keys && values ? map_read_all(chain->bpf->maps.pieces, keys, values, CHAIN_PIECES) : -ENOMEM;
	__u32 deleted = count > 0 ? count : 0;
	int err = count < 0 ? count : 0;

	if (deleted)
		err = bpf_map_delete_batch(bpf_map__fd(chain->bpf->maps.pieces), keys, &deleted, NULL);
	free(keys);
	free(values);
	memset(chain->vms, 0, VM_SLOTS * sizeof(*chain->vms));
	memset(chain->recents, 0, CHAIN_RECENT * sizeof(*chain->recents));
	return err;
}

static bool exits_are_of_threads(const struct chain *chain)
{
	const struct hook *hook = chain->hooks.active[CHAIN_EXITS];

	return hook && !strcmp(hook->programs[0], "chain_exit_of_thread");
}

static int begin(struct chain *chain)
{
	int err;

	chain->ranges = calloc(1, sizeof(*chain->ranges));
	if (!chain->ranges)
		return -ENOMEM;
	chain->vms = map_shared(chain->bpf->maps.chains);
	chain->recents = map_shared(chain->bpf->maps.recents);
	if (!chain->vms || !chain->recents)
		return -errno;
	err = clear(chain);
	if (err)
		return err;
	if (exits_are_of_threads(chain)) {
		chain->exit_of_thread = bpf_program__attach(chain->bpf->progs.chain_exit_of_thread);
		if (!chain->exit_of_thread)
			return -errno;
	}
	chain->bpf->bss->joined_ns = monotonic_ns();
	chain->bpf->bss->join_chains = true;
	return 0;
}

int chain_start(struct chain *chain)
{
	struct diag why;
	int err;

	if (chain->ranges)
		return 0;
	if (!chain->probed)
		fallback_probe(&chain_fallback, &chain->hooks, &why);
	chain->probed = true;
	/* Without conversions there are no chains, on a stock kernel for example. */
	if (!chain->hooks.active[CHAIN_CONVERSIONS])
		return chain->hooks.errors[CHAIN_CONVERSIONS];
	err = begin(chain);
	if (!err)
		return 0;
	chain_stop(chain);
	fallback_give_up(&chain_fallback, &chain->hooks, err);
	return err;
}

void chain_stop(struct chain *chain)
{
	if (!chain->ranges)
		return;
	chain->bpf->bss->join_chains = false;
	bpf_link__destroy(chain->exit_of_thread);
	unmap_shared(chain->bpf->maps.chains, chain->vms);
	unmap_shared(chain->bpf->maps.recents, chain->recents);
	free(chain->ranges);
	*chain = (struct chain){ .bpf = chain->bpf, .probed = chain->probed, .hooks = chain->hooks };
}

unsigned int chain_needs(const struct chain *chain)
{
	unsigned int measures = MEASURE_FAULTS;

	if (!chain->ranges)
		return 0;
	if (!exits_are_of_threads(chain))
		measures |= MEASURE_USER_EXITS;
	return chain->bpf->bss->join_zaps ? measures | MEASURE_ZAP_COUNT : measures;
}

void chain_lacks(struct chain *chain, enum chain_metric metric, int err)
{
	if (!chain->hooks.active[metric] || (metric == CHAIN_EXITS && exits_are_of_threads(chain)))
		return;
	chain->hooks.active[metric] = NULL;
	chain->hooks.errors[metric] = err;
}

void chain_watch_zaps(struct chain *chain, bool has_policies)
{
	if (chain->ranges)
		chain->bpf->bss->join_zaps = has_policies;
}

/* Adds the ranges that have cost most of those VMs that are in the snapshot. */
static int add_worsts(const struct chain *chain, struct snapshot *s, int list)
{
	struct chain_worst *worsts = calloc(CHAIN_RANGES_MAX, sizeof(*worsts));
	size_t count;
	int err = worsts ? 0 : -ENOMEM;

	chain_ranges_add(chain->ranges, chain->recents);
	count = err ? 0 : chain_keep_worst(worsts, chain_ranges_list(chain->ranges, worsts));
	for (size_t i = 0; !err && i < count; i++) {
		struct chain_worst *worst;

		if (!snapshot_vm(s, worsts[i].birth))
			continue;
		worst = snapshot_add(s, list);
		if (worst)
			*worst = worsts[i];
		else
			err = -ENOMEM;
	}
	free(worsts);
	return err;
}

/* The kernel no longer writes to the slot of a VM that has ended. */
static int add_items(const struct chain *chain, const struct vm_table *table, struct snapshot *s, int list)
{
	for (uint32_t slot = 0; slot < VM_SLOTS; slot++) {
		const struct vm_owner *owner = &table->owners[slot];
		struct chain_item *item;

		if (!owner->listed)
			continue;
		item = snapshot_add(s, list);
		if (!item)
			return -ENOMEM;
		item->birth = owner->birth;
		item->links = chain->vms[slot].links;
		item->forgotten = chain->vms[slot].forgotten;
		if (owner->ended)
			memset(&chain->vms[slot], 0, sizeof(chain->vms[slot]));
	}
	return 0;
}

int chain_read(struct chain *chain, const struct vm_table *table, struct snapshot *s, int items, int worsts)
{
	int err;

	if (!chain->ranges)
		return 0;
	fallback_look(&chain_fallback, &chain->hooks, chain->bpf->obj);
	s->measured |= fallback_measures(&chain->hooks);
	err = add_items(chain, table, s, items);
	return err ?: add_worsts(chain, s, worsts);
}
