// SPDX-License-Identifier: GPL-2.0
#include <assert.h>
#include <stdlib.h>
#include <linux/slab.h>
#include <linux/radix-tree.h>
#include <linux/xarray.h>
#include "mem.h"

struct mem mem;
struct kmem_cache *radix_tree_node_cachep;

static void *mem_alloc(size_t size, gfp_t gfp)
{
	void *p;

	assert(!mem.forbidden);
	if (!(gfp & __GFP_DIRECT_RECLAIM) && mem.nowait_fails)
		return NULL;
	if (mem.fail_at && !--mem.fail_at) {
		mem.fail_at = mem.fails_on;
		mem.failed = true;
		return NULL;
	}
	p = malloc(size);
	assert(p);
	memset(p, gfp & __GFP_ZERO ? 0 : 0xa5, size);
	__atomic_add_fetch(&mem.live, 1, __ATOMIC_RELAXED);
	return p;
}

void *kmalloc(size_t size, gfp_t gfp)
{
	return mem_alloc(size, gfp);
}

void kfree(void *p)
{
	if (!p)
		return;
	__atomic_sub_fetch(&mem.live, 1, __ATOMIC_RELAXED);
	free(p);
}

void *kmem_cache_alloc_lru(struct kmem_cache *cache, struct list_lru *lru, int flags)
{
	struct xa_node *node = mem_alloc(sizeof(*node), flags | __GFP_ZERO);

	(void)cache;
	(void)lru;
	if (node)
		INIT_LIST_HEAD(&node->private_list);
	return node;
}

void kmem_cache_free(struct kmem_cache *cache, void *p)
{
	(void)cache;
	kfree(p);
}

void radix_tree_node_rcu_free(struct rcu_head *head)
{
	kfree(container_of(head, struct xa_node, rcu_head));
}

void mem_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	/* Nobody to wait for: free at once, so that the sanitizer sees who uses it later. */
	if (mem.readers)
		urcu_memb_call_rcu(head, func);
	else
		func(head);
}

/* What the store frees begins with its rcu_head. */
void mem_free_rcu(struct rcu_head *head)
{
	kfree(head);
}
