// SPDX-License-Identifier: GPL-2.0
/* The parts of a VM's counts in a snapshot. */
#include "figures.h"

#include <stdlib.h>

int compare_parts(const void *a, const void *b)
{
	const struct top_part *left = a, *right = b;

	if (left->birth != right->birth)
		return left->birth < right->birth ? -1 : 1;
	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	return (left->part > right->part) - (left->part < right->part);
}

static const struct top_part *find_part(const struct snapshot *s, uint64_t birth, enum top_part_kind kind, long part)
{
	const struct top_part key = { .birth = birth, .kind = kind, .part = part };

	if (!s || !birth || !s->lists[LIST_PARTS].count)
		return NULL;
	return bsearch(&key, s->lists[LIST_PARTS].items, s->lists[LIST_PARTS].count, sizeof(key), compare_parts);
}

static long next_part(const struct snapshot *s, const struct snapshot_vm *vm, enum top_part_kind kind, long part)
{
	const struct top_part key = { .birth = vm->birth, .kind = kind, .part = part };
	const struct top_part *found;
	size_t low = 0, high = s->lists[LIST_PARTS].count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_parts(snapshot_item(s, LIST_PARTS, middle), &key) > 0)
			high = middle;
		else
			low = middle + 1;
	}
	if (!vm->birth || low == s->lists[LIST_PARTS].count)
		return ALL_PARTS;
	found = snapshot_item(s, LIST_PARTS, low);
	return found->birth == vm->birth && found->kind == kind ? found->part : ALL_PARTS;
}

long next_vcpu(const struct snapshot *s, const struct snapshot_vm *vm, long part)
{
	return next_part(s, vm, PART_VCPU, part);
}

long next_exit(const struct snapshot *s, const struct snapshot_vm *vm, long part)
{
	return next_part(s, vm, PART_EXIT, part);
}

long next_fault(const struct snapshot *s, const struct snapshot_vm *vm, long part)
{
	return next_part(s, vm, PART_FAULT, part);
}

/* The part was not there before: it counts from 0. */
static uint64_t ns_since(const struct pair *pair, const struct top_part *now)
{
	const struct top_part *then = find_part(pair->before, now->birth, now->kind, now->part);

	return now->numbers.ns - (then ? then->numbers.ns : 0);
}

static uint64_t ns_of_all(const struct pair *pair, const struct snapshot_vm *vm, enum top_part_kind kind)
{
	long part = ALL_PARTS;
	uint64_t ns = 0;

	while ((part = next_part(pair->now, vm, kind, part)) != ALL_PARTS)
		ns += ns_since(pair, find_part(pair->now, vm->birth, kind, part));
	return ns;
}

static void fill_part(struct part_figures *f, const struct pair *pair, const struct snapshot_vm *vm,
		      enum top_part_kind kind, long part)
{
	const struct top_part *now = find_part(pair->now, vm->birth, kind, part);
	const struct top_part *then = find_part(pair->before, vm->birth, kind, part);
	uint64_t *numbers = (uint64_t *)&f->numbers, all = ns_of_all(pair, vm, kind);

	f->numbers = now->numbers;
	for (size_t i = 0; then && i < sizeof(f->numbers) / sizeof(*numbers); i++)
		numbers[i] -= ((const uint64_t *)&then->numbers)[i];
	latency_add(&f->latency, &now->latency, then ? &then->latency : NULL);
	f->time.kind = f->share.kind = CELL_NO_SAMPLE;
	if (f->numbers.ns && pair->seconds > 0)
		f->time = (struct cell){ CELL_NUMBER, f->numbers.ns / pair->seconds };
	if (f->numbers.ns && all)
		f->share = (struct cell){ CELL_NUMBER, 100.0 * f->numbers.ns / all };
}

void fill_vcpu(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long part)
{
	fill_part(figures, pair, vm, PART_VCPU, part);
}

void fill_exit(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long part)
{
	fill_part(figures, pair, vm, PART_EXIT, part);
}

void fill_fault(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long part)
{
	fill_part(figures, pair, vm, PART_FAULT, part);
}
