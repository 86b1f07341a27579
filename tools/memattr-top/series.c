// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "series.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bpf_maps.h"
#include "figures.h"

/*
 * A VM needs about a dozen, and one for each vCPU. A series takes 2 KiB of kernel memory, and there is one for each MiB
 * that the host has.
 */
#define SERIES_MIN	(1U << 11)
#define SERIES_MAX	(1U << 14)

static unsigned int series_of_host(void)
{
	unsigned long long mib = (unsigned long long)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) >> 20;

	if (mib < SERIES_MIN)
		return SERIES_MIN;
	return mib < SERIES_MAX ? mib : SERIES_MAX;
}

int series_size(struct series_maps *m, struct bpf_map *series, struct bpf_map *ids, struct bpf_map *free)
{
	int err;

	*m = (struct series_maps){ .series = series, .ids = ids, .free = free, .count = series_of_host() };
	err = bpf_map__set_max_entries(series, m->count);
	if (!err)
		err = bpf_map__set_max_entries(ids, m->count);
	if (!err)
		err = bpf_map__set_max_entries(free, m->count);
	return err;
}

int series_open(struct series_maps *m)
{
	m->shared = map_shared(m->series);
	return m->shared ? push_all(m->free) : -errno;
}

void series_close(struct series_maps *m)
{
	if (m->series)
		unmap_shared(m->series, m->shared);
}

void series_forget_exits(struct series_maps *m)
{
	for (unsigned int id = 0; m->used && id < m->count; id++)
		m->shared[id].exit_ns = 0;
}

/* The kernel no longer writes to it. */
static void free_series(struct series_maps *m, unsigned int id)
{
	const struct top_series_key key = m->shared[id].key;

	bpf_map_delete_elem(bpf_map__fd(m->ids), &key);
	memset(&m->shared[id], 0, sizeof(m->shared[id]));
	push(m->free, id);
}

static int add_part(struct snapshot *s, uint64_t birth, const struct top_series *from)
{
	struct top_part *part = snapshot_add(s, LIST_PARTS);

	if (!part)
		return -ENOMEM;
	part->birth = birth;
	part->kind = from->key.kind;
	part->part = from->key.part;
	part->numbers = (struct part_numbers){
		.count = from->count,
		.ns = from->ns,
		.late = from->late,
		.ahead_pages = from->ahead_pages,
		.ahead_new_pages = from->ahead_new_pages,
	};
	return histogram_set_first(&part->latency, from->latency, TOP_BUCKETS);
}

int series_add(struct series_maps *m, struct snapshot *s, const struct vm_table *table)
{
	int err = 0;

	for (unsigned int id = 0; m->used && !err && id < m->count; id++) {
		const struct top_series *shared = &m->shared[id];
		const struct vm_owner *owner;

		if (!shared->used || shared->key.slot >= VM_SLOTS)
			continue;
		owner = &table->owners[shared->key.slot];
		/* A VM that came after the VMs were listed is in the next snapshot. */
		if (!owner->listed)
			continue;
		err = add_part(s, owner->birth, shared);
		if (!err && owner->ended)
			free_series(m, id);
	}
	return err;
}
