// SPDX-License-Identifier: GPL-2.0
/*
 * What the store of attributes alone costs a change, against the xarray with an entry per page that
 * a stock kernel has. Both are the kernel's own source, compiled for user space without locks, as
 * there is one thread. To be run in a VM that counts instructions (selftests/vm/run --icount).
 *
 * Prints a line for each measurement: its name, the stock store's and this one's instructions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <linux/kvm_attr_map.h>

#include "bench.h"
#include "now.h"
#include "random.h"

#define ATTRS		8UL
#define PAGES_1G	(1UL << 18)
#define ROUNDS		4000

static DEFINE_XARRAY(stock);
static struct kvm_attr_map map;

static uint64_t random_state = 0x9e3779b97f4a7c15;

/* What kvm_vm_set_mem_attributes() of 6.12 does with its xarray, for one page. */
static void stock_set(unsigned long page, unsigned long attrs)
{
	if (xa_to_value(xa_load(&stock, page)) == attrs)
		return;
	if (xa_reserve(&stock, page, GFP_KERNEL) ||
	    xa_is_err(xa_store(&stock, page, attrs ? xa_mk_value(attrs) : NULL, GFP_KERNEL)))
		abort();
}

/* And what it does with the map. */
static void map_set(unsigned long page, unsigned long attrs)
{
	struct kvm_attr_change change = { &map, page, page + 1, attrs };
	struct kvm_attr_range range = { .start = page };

	kvm_attr_map_find_range(&map, &range, page + 1);
	if (range.attrs == attrs)
		return;
	if (kvm_attr_map_prepare(&change))
		abort();
	kvm_attr_map_commit(&change);
}

/* Random pages change, and back. */
static unsigned long toggle(void (*set)(unsigned long page, unsigned long attrs))
{
	static uint64_t cost[2 * ROUNDS];
	unsigned long page, was, start;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		page = xorshift64(&random_state) % PAGES_1G;
		was = page % 2 ? 0 : ATTRS;
		start = now_ns();
		set(page, ATTRS - was);
		cost[2 * i] = now_ns() - start;
		start = now_ns();
		set(page, was);
		cost[2 * i + 1] = now_ns() - start;
	}
	return median(cost, 2 * ROUNDS);
}

static unsigned long look_up(bool of_stock)
{
	static uint64_t cost[ROUNDS];
	unsigned long page, start, sum = 0;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		page = xorshift64(&random_state) % PAGES_1G;
		start = now_ns();
		sum += of_stock ? xa_to_value(xa_load(&stock, page)) : kvm_attr_map_get(&map, page);
		cost[i] = now_ns() - start;
	}
	if (!sum)
		abort();
	return median(cost, ROUNDS);
}

static unsigned long clock_cost(void)
{
	static uint64_t cost[ROUNDS];
	unsigned long start;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		start = now_ns();
		cost[i] = now_ns() - start;
	}
	return median(cost, ROUNDS);
}

int main(void)
{
	struct kvm_attr_change all = { &map, 0, PAGES_1G, ATTRS };
	unsigned long page, clock = clock_cost();

	kvm_attr_map_init(&map, ATTRS, GFP_KERNEL_ACCOUNT);
	if (kvm_attr_map_prepare(&all))
		abort();
	kvm_attr_map_commit(&all);
	for (page = 0; page < PAGES_1G; page++)
		stock_set(page, ATTRS);
	printf("store-lookup-uniform %lu %lu\n", look_up(true) - clock, look_up(false) - clock);

	for (page = 1; page < PAGES_1G; page += 2) {
		stock_set(page, 0);
		map_set(page, 0);
	}
	printf("store-lookup-fragmented %lu %lu\n", look_up(true) - clock, look_up(false) - clock);
	printf("store-toggle-fragmented %lu %lu\n", toggle(stock_set) - clock, toggle(map_set) - clock);
	return 0;
}
