// SPDX-License-Identifier: GPL-2.0
/*
 * The store of attributes against a maple tree (maple-map.h) at the same operations. Both are the
 * kernel's own source, compiled for user space. To be run in a VM that counts instructions
 * (selftests/vm/run --icount).
 *
 * Prints a line for each measurement. Costs: name, instructions of the maple tree and of the store
 * for one operation, objects that each allocates for it. Memory: name, bytes of each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <linux/kvm_attr_map.h>

#include "bench.h"
#include "maple-map.h"
#include "now.h"
#include "random.h"
#include "store-mem.h"

#define ATTRS		8UL
#define PAGES_2M	512UL
#define PAGES_1G	(1UL << 18)
#define PAGES_64G	(64 * PAGES_1G)
#define PAGES_1T	(1024 * PAGES_1G)
#define ROUNDS		1000
#define CHECK_ROUNDS	5000

enum store { MAPLE, MAP, STORES };

static struct maple_map maple;
static struct kvm_attr_map map;
/* The size of the file that both describe. */
static unsigned long pages;

static uint64_t random_state;
static unsigned long clock_ns;

/* Sum of the operations measured. */
struct tally {
	unsigned long count;
	unsigned long instructions;
	unsigned long allocations;
};

static struct tally tally_start(void)
{
	return (struct tally) { 1, now_ns(), store_mem.allocations };
}

static void tally_end(struct tally *tally, struct tally start)
{
	tally->instructions += now_ns() - start.instructions - clock_ns;
	tally->allocations += store_mem.allocations - start.allocations;
	tally->count++;
}

static void print_cost(const char *name, const struct tally tally[STORES])
{
	printf("%s", name);
	for (int i = 0; i < STORES; i++)
		printf(" %lu", tally[i].instructions / tally[i].count);
	for (int i = 0; i < STORES; i++)
		printf(" %.2f", (double)tally[i].allocations / tally[i].count);
	printf("\n");
}

static unsigned long get(enum store store, unsigned long page)
{
	return store == MAPLE ? maple_map_get(&maple, page) : kvm_attr_map_get(&map, page);
}

/* Prepares a change, and commits it unless it is to be cancelled. Adds what it costs. */
static void change(enum store store, unsigned long start, unsigned long end, unsigned long attrs,
		   bool cancel, struct tally *tally)
{
	struct kvm_attr_change map_change = { &map, start, end, attrs };
	struct maple_change maple_change;
	struct tally begin = tally_start();
	int r;

	if (store == MAPLE) {
		r = maple_map_prepare(&maple, &maple_change, start, end, attrs);
		if (cancel)
			maple_map_cancel(&maple_change);
		else
			maple_map_commit(&maple_change);
	} else {
		r = kvm_attr_map_prepare(&map_change);
		if (cancel)
			kvm_attr_map_cancel(&map_change);
		else
			kvm_attr_map_commit(&map_change);
	}
	if (r)
		abort();
	tally_end(tally, begin);
}

static void set(enum store store, unsigned long start, unsigned long end, unsigned long attrs)
{
	struct tally unused = { 0 };

	change(store, start, end, attrs, false, &unused);
}

/* Each store's own way to visit all ranges. Returns their number. */
static unsigned long walk(enum store store)
{
	struct kvm_attr_range range = { .end = 0 };
	MA_STATE(mas, &maple.tree, 0, 0);
	unsigned long ranges = 0;
	void *entry;

	if (store == MAPLE) {
		rcu_read_lock();
		mas_for_each(&mas, entry, pages - 1)
			ranges++;
		rcu_read_unlock();
		return ranges;
	}
	for (; range.end < pages; ranges++) {
		range.start = range.end;
		kvm_attr_map_find_range(&map, &range, pages);
	}
	return ranges;
}

static long start_over(enum store store, unsigned long new_pages, unsigned long attrs)
{
	random_state = seed_random(1);
	pages = new_pages;
	if (store == MAPLE)
		maple_map_init(&maple, pages);
	else
		kvm_attr_map_init(&map, ATTRS, GFP_KERNEL_ACCOUNT);
	if (attrs)
		set(store, 0, pages, attrs);
	return store_mem.live_bytes;
}

static void destroy(enum store store)
{
	if (store == MAPLE)
		maple_map_destroy(&maple);
	else
		kvm_attr_map_destroy(&map);
}

/* --- do both answer the same? ------------------------------------------- */

static void check(bool ok, unsigned long page)
{
	if (ok)
		return;
	fprintf(stderr, "store-maple: the stores differ at page %#lx\n", page);
	exit(1);
}

/* Ranges are as long as they can be in both, so that their ends are equal, too. */
static void check_ranges(void)
{
	struct kvm_attr_range range = { .end = 0 };
	MA_STATE(mas, &maple.tree, 0, 0);
	void *entry;

	mas_for_each(&mas, entry, pages - 1) {
		range.start = range.end;
		kvm_attr_map_find_range(&map, &range, pages);
		check(range.start == mas.index && range.end == mas.last + 1 &&
		      range.attrs == xa_to_value(entry), range.start);
	}
	check(range.end == pages, range.end);
}

static void check_random(void)
{
	unsigned long start, end, attrs, page, max_length;
	struct tally unused = { 0 };
	bool cancel;

	for (enum store store = 0; store < STORES; store++)
		start_over(store, PAGES_1G, 0);
	for (int i = 0; i < CHECK_ROUNDS; i++) {
		start = next_random(&random_state) % pages;
		max_length = 1UL << next_random(&random_state) % 18;
		end = start + 1 + next_random(&random_state) % max_length;
		/* A third of the ranges is aligned. */
		if (!(next_random(&random_state) % 3)) {
			start = round_down(start, PAGES_2M);
			end = round_up(end, PAGES_2M);
		}
		end = min(end, pages);
		attrs = next_random(&random_state) % 2 ? ATTRS : 0;
		cancel = !(next_random(&random_state) % 8);
		for (enum store store = 0; store < STORES; store++)
			change(store, start, end, attrs, cancel, &unused);
		page = next_random(&random_state) % pages;
		check(get(MAPLE, page) == get(MAP, page), page);
		if (!(i % 50))
			check_ranges();
	}
	check_ranges();
	destroy(MAPLE);
	destroy(MAP);
}

/* --- maps in which all pages are equal ----------------------------------- */

/* Changes a random range, and changes it back. Between two rounds the map is uniform again. */
static void measure_range(const char *name, unsigned long of_pages, unsigned long length,
			  unsigned long align, unsigned long attrs)
{
	struct tally to[STORES] = { 0 }, back[STORES] = { 0 }, cancel[STORES] = { 0 };
	unsigned long start;
	char text[64];

	for (enum store store = 0; store < STORES; store++) {
		start_over(store, of_pages, attrs);
		for (int i = 0; i < ROUNDS; i++) {
			start = next_random(&random_state) % (pages - length + 1) / align * align;
			change(store, start, start + length, ATTRS - attrs, true, &cancel[store]);
			change(store, start, start + length, ATTRS - attrs, false, &to[store]);
			change(store, start, start + length, attrs, false, &back[store]);
			/* The store may have kept a leaf for the next change. */
			set(store, round_down(start, PAGES_2M), round_up(start + length, PAGES_2M),
			    attrs);
		}
		destroy(store);
	}
	snprintf(text, sizeof(text), "%s-set", name);
	print_cost(text, to);
	snprintf(text, sizeof(text), "%s-back", name);
	print_cost(text, back);
	snprintf(text, sizeof(text), "%s-cancel", name);
	print_cost(text, cancel);
}

/* A page that changes again and again. */
static void measure_again(const char *name, unsigned long attrs)
{
	struct tally tally[STORES] = { 0 };

	for (enum store store = 0; store < STORES; store++) {
		start_over(store, PAGES_1G, attrs);
		set(store, 1000, 1001, ATTRS - attrs);
		set(store, 1000, 1001, attrs);
		for (int i = 0; i < ROUNDS; i++) {
			change(store, 1000, 1001, ATTRS - attrs, false, &tally[store]);
			change(store, 1000, 1001, attrs, false, &tally[store]);
		}
		destroy(store);
	}
	print_cost(name, tally);
}

static void measure_whole(const char *name, unsigned long of_pages)
{
	struct tally tally[STORES] = { 0 };

	for (enum store store = 0; store < STORES; store++) {
		start_over(store, of_pages, 0);
		for (int i = 0; i < ROUNDS; i++) {
			change(store, 0, pages, ATTRS, false, &tally[store]);
			change(store, 0, pages, 0, false, &tally[store]);
		}
		destroy(store);
	}
	print_cost(name, tally);
}

static struct tally look_up(enum store store, bool in_sequence)
{
	struct tally tally = { 0 }, begin;
	unsigned long page, sum = 0;

	for (int i = 0; i < ROUNDS; i++) {
		page = in_sequence ? PAGES_1G / 2 + i : next_random(&random_state) % pages;
		begin = tally_start();
		sum += get(store, page);
		tally_end(&tally, begin);
	}
	if (!sum)
		abort();
	return tally;
}

static void measure_uniform_lookup(void)
{
	struct tally random[STORES], sequence[STORES];

	for (enum store store = 0; store < STORES; store++) {
		start_over(store, PAGES_1G, ATTRS);
		random[store] = look_up(store, false);
		sequence[store] = look_up(store, true);
		destroy(store);
	}
	print_cost("uniform-lookup-random", random);
	print_cost("uniform-lookup-sequential", sequence);
}

/* --- maps in which some pages differ ------------------------------------- */

/* Ranges of @length pages that are shared, in a file of which the rest is private. */
struct pattern {
	const char *name;
	unsigned long pages;
	unsigned long first;
	unsigned long step;	/* 0: @count random ones */
	unsigned long length;
	unsigned long count;
};

static const struct pattern patterns[] = {
	{ "alternating-pages", PAGES_1G, 1, 2, 1, PAGES_1G / 2 },
	{ "alternating-2M", PAGES_64G, PAGES_2M, 2 * PAGES_2M, PAGES_2M, PAGES_64G / PAGES_2M / 2 },
	{ "page-per-2M", PAGES_1G, 100, PAGES_2M, 1, PAGES_1G / PAGES_2M },
	{ "page-per-64M", PAGES_64G, 100, 32 * PAGES_2M, 1, PAGES_64G / PAGES_2M / 32 },
	{ "random-pages", PAGES_1T, 0, 0, 1, 1000 },
};

enum work { SET, RANDOM, SEQUENCE, WALK, TOGGLE, CANCEL, WHOLE, WORKS };
static const char *const work_names[] = {
	"set", "lookup-random", "lookup-sequential", "walk", "toggle", "cancel", "whole"
};

/* Each range of the pattern once, by @i; random ones are the same at each call. */
static unsigned long range_start(const struct pattern *pattern, unsigned long i)
{
	uint64_t state = seed_random(i);

	return pattern->step ? pattern->first + i * pattern->step : next_random(&state) % pages;
}

static void toggle(enum store store, const struct pattern *pattern, struct tally *tally,
		   struct tally *cancel)
{
	unsigned long start, end, i;

	for (int round = 0; round < ROUNDS; round++) {
		i = (next_random(&random_state) >> 16) * pattern->count >> 32;
		start = range_start(pattern, i);
		end = start + pattern->length;
		change(store, start, end, ATTRS, true, cancel);
		change(store, start, end, ATTRS, false, tally);
		change(store, start, end, 0, false, tally);
	}
}

static void measure_pattern(const struct pattern *pattern)
{
	struct tally tallies[WORKS][STORES] = { 0 }, begin;
	unsigned long start;
	long bytes[STORES];
	char text[64];

	for (enum store store = 0; store < STORES; store++) {
		long before = store_mem.live_bytes;

		start_over(store, pattern->pages, ATTRS);
		for (unsigned long i = 0; i < pattern->count; i++) {
			start = range_start(pattern, i);
			change(store, start, start + pattern->length, 0, false,
			       &tallies[SET][store]);
		}
		bytes[store] = store_mem.live_bytes - before;
		tallies[RANDOM][store] = look_up(store, false);
		tallies[SEQUENCE][store] = look_up(store, true);
		begin = tally_start();
		tallies[WALK][store].count = walk(store) - 1;
		tally_end(&tallies[WALK][store], begin);
		toggle(store, pattern, &tallies[TOGGLE][store], &tallies[CANCEL][store]);
	}
	check_ranges();
	maple_map_end_readers(&maple);
	for (enum store store = 0; store < STORES; store++)
		change(store, 0, pages, 0, false, &tallies[WHOLE][store]);
	check_ranges();
	destroy(MAPLE);
	destroy(MAP);
	for (enum work work = 0; work < WORKS; work++) {
		snprintf(text, sizeof(text), "%s-%s", pattern->name, work_names[work]);
		print_cost(text, tallies[work]);
	}
	printf("%s-bytes %ld %ld\n", pattern->name, bytes[MAPLE], bytes[MAP]);
}

static void measure_uniform_bytes(const char *name, unsigned long of_pages)
{
	long bytes[STORES];

	for (enum store store = 0; store < STORES; store++) {
		bytes[store] = start_over(store, of_pages, ATTRS);
		destroy(store);
	}
	printf("%s %ld %ld\n", name, bytes[MAPLE], bytes[MAP]);
}

static unsigned long clock_cost(void)
{
	static uint64_t cost[ROUNDS];
	unsigned long start;

	for (int i = 0; i < ROUNDS; i++) {
		start = now_ns();
		cost[i] = now_ns() - start;
	}
	return median(cost, ROUNDS);
}

int main(void)
{
	maple_tree_init();
	clock_ns = clock_cost();
	check_random();
	measure_uniform_lookup();
	measure_range("uniform-page-of-shared", PAGES_1G, 1, 1, 0);
	measure_range("uniform-page-of-private", PAGES_1G, 1, 1, ATTRS);
	measure_range("uniform-page-of-1T", PAGES_1T, 1, 1, ATTRS);
	measure_again("uniform-again-shared", 0);
	measure_again("uniform-again-private", ATTRS);
	measure_range("uniform-300-pages", PAGES_1G, 300, 1, ATTRS);
	measure_range("uniform-2M", PAGES_1G, PAGES_2M, PAGES_2M, ATTRS);
	measure_range("uniform-64M", PAGES_1G, 32 * PAGES_2M, 32 * PAGES_2M, ATTRS);
	measure_range("uniform-64M-unaligned", PAGES_1G, 32 * PAGES_2M, 1, ATTRS);
	measure_whole("uniform-whole-1G", PAGES_1G);
	measure_whole("uniform-whole-64G", PAGES_64G);
	measure_whole("uniform-whole-1T", PAGES_1T);
	measure_uniform_bytes("uniform-1G-bytes", PAGES_1G);
	measure_uniform_bytes("uniform-64G-bytes", PAGES_64G);
	measure_uniform_bytes("uniform-1T-bytes", PAGES_1T);
	for (unsigned int i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		measure_pattern(&patterns[i]);
	if (store_mem.live_bytes) {
		fprintf(stderr, "store-maple: %ld bytes are left\n", store_mem.live_bytes);
		return 1;
	}
	return 0;
}
