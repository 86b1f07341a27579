/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A map of attributes in a maple tree, as guest_memfd has it upstream: readers use RCU, writers
 * have a lock of their own, each index always has an entry, equal neighbours share one, and a
 * change allocates its memory before anything is visible. Same operations as kvm_attr_map.
 */
#ifndef MAPLE_MAP_H
#define MAPLE_MAP_H

#include <linux/maple_tree.h>
#include <linux/xarray.h>

struct maple_map {
	struct maple_tree tree;
};

struct maple_change {
	struct ma_state mas;
	void *entry;
};

static inline int maple_map_prepare(struct maple_map *map, struct maple_change *change,
				    unsigned long start, unsigned long end, unsigned long attrs)
{
	struct ma_state *mas = &change->mas;
	unsigned long last = end - 1;

	change->entry = xa_mk_value(attrs);
	mas_init(mas, &map->tree, end);
	/* There is nothing past the end of the file. */
	if (mas_walk(mas) == change->entry)
		last = mas->last;
	if (start) {
		mas_set(mas, start - 1);
		if (mas_walk(mas) == change->entry)
			start = mas->index;
	}
	mas_set_range(mas, start, last);
	return mas_preallocate(mas, change->entry, GFP_KERNEL_ACCOUNT);
}

static inline void maple_map_commit(struct maple_change *change)
{
	mas_store_prealloc(&change->mas, change->entry);
}

static inline void maple_map_cancel(struct maple_change *change)
{
	mas_destroy(&change->mas);
}

static inline void maple_map_init(struct maple_map *map, unsigned long pages)
{
	struct maple_change all;

	mt_init_flags(&map->tree, MT_FLAGS_LOCK_EXTERN | MT_FLAGS_USE_RCU);
	if (maple_map_prepare(map, &all, 0, pages, 0))
		abort();
	maple_map_commit(&all);
}

/*
 * To be called, with no readers left, before large parts of the tree go: compiled for user space,
 * 6.12's maple tree does not survive that in RCU mode.
 */
static inline void maple_map_end_readers(struct maple_map *map)
{
	mt_clear_in_rcu(&map->tree);
}

static inline void maple_map_destroy(struct maple_map *map)
{
	maple_map_end_readers(map);
	__mt_destroy(&map->tree);
}

static inline unsigned long maple_map_get(struct maple_map *map, unsigned long index)
{
	return xa_to_value(mtree_load(&map->tree, index));
}

#endif
