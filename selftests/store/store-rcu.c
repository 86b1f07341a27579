// SPDX-License-Identifier: GPL-2.0
/*
 * Readers of the store against a writer.
 *
 * usage: store-rcu SEED SECONDS
 *
 * Pages of a few places never change, everything around them does: entries split, merge, become
 * leaves and values again, the tree grows and shrinks. Readers must never see those pages otherwise,
 * nor, as the sanitizer knows, touch memory that is free. One half of the time the constant pages
 * are set, the other half they are not.
 */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <linux/kvm_attr_map.h>
#include "mem.h"

#define READERS		3
#define ATTRS		8UL
#define UNIVERSE	(KVM_ATTR_BLOCK_PAGES << (2 * XA_CHUNK_SHIFT))

static struct kvm_attr_map map;
/* Ascending; neighbours and far ones, at edges of blocks and inside. */
static const unsigned long constant[] = {
	3, 64, 511, 512, 700, 5 * 512 + 17, XA_CHUNK_SIZE * 512 - 1, XA_CHUNK_SIZE * 512,
	UNIVERSE / 2 + 100, UNIVERSE - 1,
};
#define NR_CONSTANT	(sizeof(constant) / sizeof(*constant))
static unsigned long value;	/* of the constant pages */
static bool stop;

static unsigned long rnd(unsigned long *state, unsigned long below)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 0x2545f4914f6cdd1dUL >> 11) % below;
}

static void *reader(void *arg)
{
	unsigned long state = (unsigned long)arg * 0x9e3779b97f4a7c15UL + 1, reads = 0, page;
	struct kvm_attr_range range;

	rcu_register_thread();
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		page = constant[rnd(&state, NR_CONSTANT)];
		if (kvm_attr_map_get(&map, page) != value) {
			fprintf(stderr, "store-rcu: page %#lx is wrong\n", page);
			abort();
		}
		/* A run from anywhere moves on, and one from here begins right. */
		range.start = rnd(&state, 2) ? page : rnd(&state, UNIVERSE);
		kvm_attr_map_scan(&map, &range, UNIVERSE);
		if (range.end <= range.start || range.end > UNIVERSE ||
		    (range.start == page && range.attrs != value)) {
			fprintf(stderr, "store-rcu: run of %#lx is wrong\n", range.start);
			abort();
		}
		reads++;
	}
	rcu_unregister_thread();
	return (void *)reads;
}

static void set(unsigned long start, unsigned long end, unsigned long attrs)
{
	struct kvm_attr_change change = { &map, start, end, attrs };

	assert(!kvm_attr_map_prepare(&change));
	kvm_attr_map_commit(&change);
}

/* Either all of it, or something that has no constant page in it. */
static unsigned long write_for(unsigned long *state, unsigned int seconds)
{
	unsigned long start, end, writes = 0, i;
	time_t until = time(NULL) + seconds;

	while (time(NULL) < until) {
		start = rnd(state, UNIVERSE);
		end = min(start + 1 + rnd(state, 1UL << rnd(state, 20)), UNIVERSE);
		if (rnd(state, 2)) {
			start = round_down(start, KVM_ATTR_BLOCK_PAGES);
			end = min(round_up(end, KVM_ATTR_BLOCK_PAGES), UNIVERSE);
		}
		if (rnd(state, 3)) {
			for (i = 0; i < NR_CONSTANT; i++) {
				if (constant[i] >= start && constant[i] < end)
					break;
			}
			if (i < NR_CONSTANT && constant[i] == start)
				continue;
			if (i < NR_CONSTANT)
				end = constant[i];
			set(start, end, value ^ ATTRS);
		} else if (rnd(state, 100)) {
			set(start, end, value);
		} else {
			set(0, UNIVERSE, value);
		}
		writes++;
	}
	return writes;
}

int main(int argc, char **argv)
{
	unsigned long state, writes = 0, reads = 0, half, i;
	pthread_t threads[READERS];
	void *result;

	if (argc != 3) {
		fprintf(stderr, "usage: store-rcu SEED SECONDS\n");
		return 2;
	}
	state = strtoul(argv[1], NULL, 0) * 0x9e3779b97f4a7c15UL + 1;
	mem.readers = true;
	rcu_register_thread();
	for (half = 0; half < 2; half++) {
		value = half ? 0 : ATTRS;
		kvm_attr_map_init(&map, ATTRS, GFP_KERNEL_ACCOUNT);
		for (i = 0; i < NR_CONSTANT && value; i++)
			set(constant[i], constant[i] + 1, value);
		stop = false;
		for (i = 0; i < READERS; i++)
			pthread_create(&threads[i], NULL, reader, (void *)(i + 1));
		writes += write_for(&state, (atoi(argv[2]) + 1) / 2);
		__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
		for (i = 0; i < READERS; i++) {
			pthread_join(threads[i], &result);
			reads += (unsigned long)result;
		}
		kvm_attr_map_destroy(&map);
		rcu_barrier();
		assert(!mem.live);
	}
	printf("%lu writes, %lu reads\n", writes, reads);
	return 0;
}
