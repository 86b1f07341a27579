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

static const struct top_part *part_find(const struct snapshot *s, uint64_t birth, enum top_part_kind kind, long part)
{
	const struct top_part key = { .birth = birth, .kind = kind, .part = part };

	if (!s || !birth || !s->lists[LIST_PARTS].count)
		return NULL;
	return bsearch(&key, s->lists[LIST_PARTS].items, s->lists[LIST_PARTS].count, sizeof(key), compare_parts);
}

long part_next(const struct snapshot *s, const struct snapshot_vm *vm, enum top_part_kind kind, long part)
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
		return VCPU_ALL;
	found = snapshot_item(s, LIST_PARTS, low);
	return found->birth == vm->birth && found->kind == kind ? found->part : VCPU_ALL;
}

void part_figures(struct part_figures *figures, const struct pair *pair, const struct snapshot_vm *vm,
		  enum top_part_kind kind, long part)
{
	const struct top_part *now = part_find(pair->now, vm->birth, kind, part);
	const struct top_part *then = part_find(pair->before, vm->birth, kind, part);
	uint64_t *numbers = (uint64_t *)&figures->numbers;

	if (!now)
		return;
	figures->numbers = now->numbers;
	for (size_t i = 0; then && i < sizeof(figures->numbers) / sizeof(*numbers); i++)
		numbers[i] -= ((const uint64_t *)&then->numbers)[i];
	latency_add(&figures->latency, &now->latency, then ? &then->latency : NULL);
	figures->latency.ns += figures->numbers.ns;
}
