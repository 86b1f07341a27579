// SPDX-License-Identifier: GPL-2.0
/*
 * Memory and locks for benchmarks of the store, in place of selftests/store/mem.c, at about the
 * kernel's price: an object comes from a list of free ones and returns to it, a lock is a
 * compare-and-swap. Objects have the sizes that they have in the kernel's slabs. What RCU frees is
 * free at once, as there is one thread.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "store-mem.h"

#define ARENA_BYTES	(256UL << 20)

struct kmem_cache {
	unsigned int bytes;
	unsigned int link;	/* where a free object has the address of the next one */
	void *free;
};

struct store_mem store_mem;

/*
 * A free node of the xarray keeps the contents that its next user expects, so its link is past
 * the end, as in the kernel.
 */
static struct kmem_cache xa_nodes = {
	.bytes = sizeof(struct xa_node) + sizeof(void *),
	.link = sizeof(struct xa_node),
};
/* The only objects that kmalloc() is asked for are leaves, of 80 bytes. */
static struct kmem_cache leaves = { .bytes = 96, .link = 48 };
static struct kmem_cache maple_nodes = { .bytes = 256, .link = 128 };

struct kmem_cache *radix_tree_node_cachep = &xa_nodes;

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     unsigned int flags, void (*ctor)(void *))
{
	(void)name;
	(void)flags;
	assert(size == maple_nodes.bytes && align == size && !ctor);
	return &maple_nodes;
}

/* All memory is there from the start, so that no page fault is counted. */
static void *arena_take(unsigned int bytes, unsigned int align)
{
	static char *arena;
	static unsigned long used;
	void *p;

	if (!arena) {
		arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (arena == MAP_FAILED) {
			perror("mmap");
			exit(1);
		}
	}
	used = round_up(used, align);
	p = arena + used;
	used += bytes;
	if (used > ARENA_BYTES) {
		fprintf(stderr, "store-mem: ARENA_BYTES are too few\n");
		exit(1);
	}
	return p;
}

static noinline void *cache_grow(struct kmem_cache *cache)
{
	void *p = arena_take(cache->bytes, cache == &maple_nodes ? cache->bytes : sizeof(long));

	if (cache == &xa_nodes)
		INIT_LIST_HEAD(&((struct xa_node *)p)->private_list);
	return p;
}

static void *cache_take(struct kmem_cache *cache)
{
	void *p = cache->free;

	store_mem.allocations++;
	store_mem.live_bytes += cache->bytes;
	if (!p)
		return cache_grow(cache);
	cache->free = *(void **)(p + cache->link);
	return p;
}

void *kmem_cache_alloc_lru(struct kmem_cache *cache, struct list_lru *lru, int flags)
{
	(void)lru;
	(void)flags;
	return cache_take(cache);
}

int kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t gfp, size_t size, void **list)
{
	size_t i;

	(void)gfp;
	for (i = 0; i < size; i++)
		list[i] = cache_take(cache);
	return size;
}

void kmem_cache_free(struct kmem_cache *cache, void *p)
{
	store_mem.live_bytes -= cache->bytes;
	*(void **)(p + cache->link) = cache->free;
	cache->free = p;
}

void kmem_cache_free_bulk(struct kmem_cache *cache, size_t size, void **list)
{
	while (size--)
		kmem_cache_free(cache, list[size]);
}

void *kmalloc(size_t size, gfp_t gfp)
{
	(void)gfp;
	assert(size <= leaves.bytes);
	return cache_take(&leaves);
}

void kfree(void *p)
{
	if (p)
		kmem_cache_free(&leaves, p);
}

/* The kernel clears nodes of the xarray when they are freed, too. */
void radix_tree_node_rcu_free(struct rcu_head *head)
{
	struct xa_node *node = container_of(head, struct xa_node, rcu_head);

	memset(node->slots, 0, sizeof(node->slots));
	memset(node->tags, 0, sizeof(node->tags));
	INIT_LIST_HEAD(&node->private_list);
	kmem_cache_free(&xa_nodes, node);
}

void mem_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	func(head);
}

/* What the store frees begins with its rcu_head. */
void mem_free_rcu(struct rcu_head *head)
{
	kfree(head);
}

void mem_spin_lock(int *lock)
{
	int unlocked = 0;

	if (!__atomic_compare_exchange_n(lock, &unlocked, 1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		abort();
}

void mem_spin_unlock(int *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}
