// SPDX-License-Identifier: GPL-2.0
/*
 * The store of attributes (virt/kvm/attr_map.c of the series) against a plain array.
 *
 * usage: store-test SEED OPERATIONS
 *
 * Built with FUZZ it is a target for libFuzzer, whose input says what to do.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/kvm_attr_map.h>
#include "mem.h"

#define UNIVERSE_SHIFT	(KVM_ATTR_BLOCK_SHIFT + 2 * XA_CHUNK_SHIFT)
#define UNIVERSE	(1UL << UNIVERSE_SHIFT)

/* A change that fails may leave the root as high as it was to be. */
#define MAX_LEVELS	DIV_ROUND_UP(64 - KVM_ATTR_BLOCK_SHIFT, XA_CHUNK_SHIFT)

static const gfp_t gfps[] = { GFP_KERNEL_ACCOUNT, GFP_NOWAIT | __GFP_ACCOUNT };

static struct kvm_attr_map map;
static unsigned long base, mask;
static u8 *model;

static void check(bool ok, const char *what, unsigned long at)
{
	if (ok)
		return;
	fprintf(stderr, "store-test: %s at %#lx\n", what, at);
	abort();
}

static void check_all(void)
{
	struct kvm_attr_range range = { .start = base };
	unsigned long i, n;

	if (base) {
		range.start = base - 1;
		kvm_attr_map_find_range(&map, &range, base);
		check(!range.attrs, "attributes before", range.start);
		range.start = base;
	}
	for (n = 0; range.start < base + UNIVERSE; range.start = range.end, n++) {
		kvm_attr_map_find_range(&map, &range, base + UNIVERSE + 1);
		check(range.end > range.start, "empty run", range.start);
		for (i = range.start; i < range.end && i < base + UNIVERSE; i++)
			check(model[i - base] == range.attrs, "run differs", i);
		if (range.end < base + UNIVERSE)
			check(model[range.end - base] != range.attrs, "run ends early", range.end);
	}
	check(kvm_attr_map_get(&map, base + UNIVERSE) == 0, "attributes past the end", base + UNIVERSE);
}

static void check_some(unsigned long at)
{
	struct kvm_attr_range range;
	unsigned long end, attrs;

	if (at >= UNIVERSE)
		return;
	attrs = kvm_attr_map_get(&map, base + at);
	check(attrs == model[at], "page differs", base + at);
	range.start = base + at;
	end = min(at + 3000, UNIVERSE);
	kvm_attr_map_find_range(&map, &range, base + end);
	check(range.attrs == attrs, "run differs from page", base + at);
	for (at++; at < range.end - base; at++)
		check(model[at] == attrs, "run is too long", base + at);
	check(at == end || model[at] != attrs, "run is too short", base + at);
}

/* Returns whether the change was made. */
static bool change(unsigned long start, unsigned long end, unsigned long attrs, bool cancel)
{
	struct kvm_attr_change c = { &map, base + start, base + end, attrs };
	long live = mem.live;
	int r;

	r = kvm_attr_map_prepare(&c);
	check(r == 0 || (r == -ENOMEM && mem.failed), "prepare failed for no reason", base + start);
	mem.fail_at = 0;
	mem.failed = false;
	mem.forbidden = true;
	if (r == 0 && cancel)
		kvm_attr_map_cancel(&c);
	else if (r == 0)
		kvm_attr_map_commit(&c);
	mem.forbidden = false;
	if (r || cancel) {
		check(mem.live <= live + MAX_LEVELS, "memory is left of a change that was not made",
		      base + start);
		return false;
	}
	memset(model + start, attrs, end - start);
	return true;
}

/* @gfp: what the map allocates with. KVM has maps that may wait for memory and maps that must not. */
static void start_over(unsigned long new_base, unsigned long new_mask, gfp_t gfp)
{
	if (model) {
		kvm_attr_map_destroy(&map);
		check(mem.live == 0, "objects are left", mem.live);
	} else {
		model = malloc(UNIVERSE);
	}
	base = new_base;
	mask = new_mask;
	memset(model, 0, UNIVERSE);
	kvm_attr_map_init(&map, mask, gfp);
}

/* Lets allocations that must not wait fail, unless the map makes no others. */
static void let_nowait_fail(bool fail)
{
	mem.nowait_fails = fail && map.gfp & __GFP_DIRECT_RECLAIM;
}

#ifdef FUZZ
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	rcu_register_thread();
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const unsigned long masks[] = { 8, 0xf, 3, 1 };
	unsigned long start, len;

	if (size < 1)
		return 0;
	start_over((data[0] & 4) ? (1UL << 40) - UNIVERSE / 2 : 0, masks[data[0] & 3],
		   gfps[data[0] >> 3 & 1]);
	mem.fails_on = data[0] & 0x10;
	for (data++, size--; size >= 6; data += 6, size -= 6) {
		/* Positions in sixteenths of a block around aligned ones, lengths alike. */
		start = ((data[0] | data[1] << 8) << (data[5] & 7)) % UNIVERSE;
		len = 1 + ((unsigned long)(data[2] | data[3] << 8) << (data[5] >> 4));
		mem.fail_at = data[4] >> 4;
		let_nowait_fail(data[5] & 8);
		change(start, min(start + len, UNIVERSE), data[4] & mask, !(data[4] % 16 % 7));
		check_some(start);
		check_some(start + len);
	}
	check_all();
	return 0;
}
#else
/* xorshift64*, as rand() has too few bits. */
static unsigned long rnd_state;
static unsigned long rnd(unsigned long below)
{
	rnd_state ^= rnd_state >> 12;
	rnd_state ^= rnd_state << 25;
	rnd_state ^= rnd_state >> 27;
	return (rnd_state * 0x2545f4914f6cdd1dUL >> 11) % below;
}

/* All sizes are equally likely as far as their number of digits goes. */
static unsigned long rnd_size(unsigned long max)
{
	unsigned long size = 1UL << rnd(__fls(max) + 1);

	return min(max, size + rnd(size));
}

static void random_range(unsigned long *start, unsigned long *end)
{
	static unsigned long hot;
	unsigned long size = rnd_size(UNIVERSE), align;

	switch (rnd(4)) {
	case 0:		/* anything */
		*start = rnd(UNIVERSE);
		break;
	case 1:		/* where the last one was */
		*start = (hot + rnd(8) - 4) % UNIVERSE;
		break;
	default:	/* aligned, or nearly */
		align = 1UL << rnd(UNIVERSE_SHIFT);
		size = round_up(size, align);
		*start = round_down(rnd(UNIVERSE), align);
		if (!rnd(4))
			*start += rnd(3) - 1;
		if (!rnd(4))
			size += rnd(3) - 1;
		*start %= UNIVERSE;
	}
	size = size ? size : 1;
	*end = min(*start + size, UNIVERSE);
	hot = rnd(2) ? *end : *start;
}

static unsigned long random_attrs(void)
{
	return (rnd(2) ? mask : rnd(256)) & mask & (rnd(3) ? ~0UL : 0);
}

/* What random changes hardly ever make. */
static void directed(void)
{
	const unsigned long nr_blocks = UNIVERSE / KVM_ATTR_BLOCK_PAGES;
	unsigned long i, start;

	/* A node full of values, but not of one; then of one. */
	start_over(0, 0xf, GFP_KERNEL_ACCOUNT);
	change(UNIVERSE - 1, UNIVERSE, 1, false);
	for (i = 0; i < XA_CHUNK_SIZE; i++) {
		start = i * KVM_ATTR_BLOCK_PAGES;
		change(start, start + KVM_ATTR_BLOCK_PAGES, 1 + i % 15, false);
	}
	check_all();
	for (i = 0; i < XA_CHUNK_SIZE; i++) {
		start = i * KVM_ATTR_BLOCK_PAGES;
		change(start, start + KVM_ATTR_BLOCK_PAGES, 5, false);
	}
	check_all();
	/* The root, and the last leaf with its node. */
	check(mem.live <= 3, "neighbours have not merged", mem.live);

	/* A run of leaves that are kept although their pages agree again. */
	start_over(0, 8, GFP_KERNEL_ACCOUNT);
	change(0, UNIVERSE - 1, 8, false);
	for (i = 0; i < nr_blocks; i++) {
		start = i * KVM_ATTR_BLOCK_PAGES + 100;
		change(start, start + 1, 0, false);
		change(start, start + 1, 8, false);
	}
	check((unsigned long)mem.live >= nr_blocks, "there are no such leaves", mem.live);
	check_all();

	/* Changes that fail leave nothing that adds up. */
	start_over(0, 8, GFP_KERNEL_ACCOUNT);
	for (i = 1; i < 200; i++) {
		struct kvm_attr_change far = { &map, i << 30, (i << 30) + 1, 8 };

		mem.nowait_fails = i % 2;
		mem.fail_at = 2 + i % 5;
		if (!kvm_attr_map_prepare(&far))
			kvm_attr_map_cancel(&far);
		mem.fail_at = 0;
		mem.failed = false;
		check(mem.live <= MAX_LEVELS + 1, "failed changes pile up", mem.live);
	}
}

int main(int argc, char **argv)
{
	static const unsigned long masks[] = { 8, 0xf, 3, 1, 0xff };
	unsigned long seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	unsigned long ops = argc > 2 ? strtoul(argv[2], NULL, 0) : 100000;
	unsigned long op, start, end, attrs, n, failures = 0, max_live = 0;

	rcu_register_thread();
	directed();
	rnd_state = seed * 0x9e3779b97f4a7c15UL + 1;
	for (op = 0; op < ops; op++) {
		if (op % 5000 == 0)
			start_over(rnd(2) ? 0 : rnd(2) ? (1UL << 40) - UNIVERSE / 2 :
				   rnd(1UL << 30), masks[rnd(ARRAY_SIZE(masks))],
				   gfps[rnd(ARRAY_SIZE(gfps))]);
		random_range(&start, &end);
		attrs = random_attrs();
		let_nowait_fail(rnd(2));
		/* The xarray allocates again what must not wait: there, one failure is none. */
		mem.fails_on = !(map.gfp & __GFP_DIRECT_RECLAIM) || rnd(2);
		/* Let each allocation fail in turn, then none. */
		if (rnd(4) == 0) {
			for (n = 1;; n++) {
				mem.fail_at = n;
				if (change(start, end, attrs, false))
					break;
				failures++;
				check_some(start);
				check_some(end ? end - 1 : 0);
				check_some(rnd(UNIVERSE));
			}
		} else {
			change(start, end, attrs, rnd(8) == 0);
		}
		check_some(start);
		check_some(end - 1);
		check_some(end);
		check_some(rnd(UNIVERSE));
		if (start)
			check_some(start - 1);
		if (op % 1000 == 999)
			check_all();
		max_live = max_t(unsigned long, max_live, mem.live);
	}
	/* What is uniform again takes next to nothing. */
	change(0, UNIVERSE, 0, false);
	check(mem.live == 0, "all zero, yet there are objects", mem.live);
	change(0, UNIVERSE, mask, false);
	check_all();
	check(mem.live <= 2 * MAX_LEVELS, "all equal, yet there are many objects", mem.live);
	start_over(0, 1, GFP_KERNEL_ACCOUNT);
	printf("%lu operations, %lu allocations failed, at most %lu objects\n", ops, failures, max_live);
	return 0;
}
#endif
