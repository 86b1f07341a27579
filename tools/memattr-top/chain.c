// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "chain.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_maps.h"
#include "chain.skel.h"
#include "kvm_core.h"
#include "pf_results.h"

/* The slots are those of memattr-top.bpf.c, which also notes the VMs' ends. */
static int share_slots(struct chain_bpf *bpf, const struct vm_table *table)
{
	int err;

	bpf_program__set_autoload(bpf->progs.end_vm, false);
	bpf_program__set_autoattach(bpf->progs.chain_zap, false);
	bpf_map__set_autocreate(bpf->maps.free_slots, false);
	err = bpf_map__reuse_fd(bpf->maps.vms, bpf_map__fd(table->vms));
	return err ?: bpf_map__reuse_fd(bpf->maps.slots, bpf_map__fd(table->slots));
}

static int load(struct chain *chain, const struct vm_table *table)
{
	struct kvm_core core;
	int err = kvm_core_open(&core);

	if (!err) {
		chain->bpf = chain_bpf__open_opts(core.options);
		err = chain->bpf ? share_slots(chain->bpf, table) : -errno;
	}
	if (!err)
		err = fallback_select(&chain_fallback, &chain->hooks, chain->bpf->obj);
	if (!err)
		err = pf_results_read(&chain->bpf->rodata->ret_pf_fixed, &chain->bpf->rodata->ret_pf_spurious);
	if (!err)
		err = chain_bpf__load(chain->bpf);
	kvm_core_close(&core);
	if (err)
		return err;
	chain->vms = map_shared(chain->bpf->maps.chains);
	chain->recents = map_shared(chain->bpf->maps.recents);
	if (!chain->vms || !chain->recents)
		return -errno;
	return chain_bpf__attach(chain->bpf);
}

int chain_start(struct chain *chain, const struct vm_table *table)
{
	struct diag why;
	int err;

	if (chain->bpf)
		return 0;
	if (!chain->probed)
		fallback_probe(&chain_fallback, &chain->hooks, &why);
	chain->probed = true;
	/* Without conversions there are no chains, on a stock kernel for example. */
	if (!chain->hooks.active[CHAIN_CONVERSIONS])
		return chain->hooks.errors[CHAIN_CONVERSIONS];
	chain->ranges = calloc(1, sizeof(*chain->ranges));
	err = chain->ranges ? load(chain, table) : -ENOMEM;
	if (!err)
		return 0;
	chain_stop(chain);
	fallback_give_up(&chain_fallback, &chain->hooks, err);
	return err;
}

void chain_stop(struct chain *chain)
{
	if (chain->bpf) {
		unmap_shared(chain->bpf->maps.chains, chain->vms);
		unmap_shared(chain->bpf->maps.recents, (void *)chain->recents);
	}
	chain_bpf__destroy(chain->bpf);
	free(chain->ranges);
	chain->bpf = NULL;
	chain->vms = NULL;
	chain->recents = NULL;
	chain->ranges = NULL;
}

void chain_watch_zaps(struct chain *chain, bool has_policies)
{
	struct chain_bpf *bpf = chain->bpf;

	if (!bpf || !chain->hooks.active[CHAIN_ZAPS] || has_policies == (bpf->links.chain_zap != NULL))
		return;
	bpf_link__destroy(bpf->links.chain_zap);
	bpf->links.chain_zap = has_policies ? bpf_program__attach(bpf->progs.chain_zap) : NULL;
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

	if (!chain->bpf)
		return 0;
	fallback_look(&chain_fallback, &chain->hooks, chain->bpf->obj);
	s->measured |= fallback_measures(&chain->hooks);
	s->lost_events += chain->bpf->bss->lost_events;
	err = add_items(chain, table, s, items);
	return err ?: add_worsts(chain, s, worsts);
}
