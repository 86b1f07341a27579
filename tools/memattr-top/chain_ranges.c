// SPDX-License-Identifier: GPL-2.0
#include "chain_ranges.h"

#include <stdlib.h>
#include <string.h>

uint64_t chain_cost_ns(const struct chain_links *links)
{
	return links->exit_ns + links->convert_ns + links->zap_ns + links->refault_ns;
}

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* From the highest cost down. */
static int compare_costs(const void *a, const void *b)
{
	const struct chain_worst *left = a, *right = b;

	return compare(chain_cost_ns(&right->links), chain_cost_ns(&left->links)) ?:
	       compare(left->birth, right->birth) ?: compare(left->gfn_start, right->gfn_start) ?:
	       compare(left->gfn_end, right->gfn_end);
}

/* The same for each VM. */
static int compare_by_vm(const void *a, const void *b)
{
	const struct chain_worst *left = a, *right = b;

	return compare(left->birth, right->birth) ?: compare_costs(a, b);
}

size_t chain_keep_worst(struct chain_worst *ranges, size_t count)
{
	size_t kept = 0, of_vm = 0;

	if (count)
		qsort(ranges, count, sizeof(*ranges), compare_by_vm);
	for (size_t i = 0; i < count; i++) {
		of_vm = kept && ranges[kept - 1].birth == ranges[i].birth ? of_vm + 1 : 1;
		if (of_vm <= CHAIN_WORST_MAX)
			ranges[kept++] = ranges[i];
	}
	return kept;
}

/* Returns the range, or the free entry where it is to be. */
static struct chain_worst *find(struct chain_ranges *ranges, const struct chain_worst *key)
{
	uint64_t hash = key->birth * 31 + key->gfn_start * 7 + key->gfn_end;

	hash *= 0x9e3779b97f4a7c15;
	for (size_t at = hash >> 32;; at++) {
		struct chain_worst *entry = &ranges->table[at % CHAIN_RANGES_ROOM];

		if (!entry->birth || (entry->birth == key->birth && entry->gfn_start == key->gfn_start &&
				      entry->gfn_end == key->gfn_end))
			return entry;
	}
}

size_t chain_ranges_list(const struct chain_ranges *ranges, struct chain_worst *to)
{
	size_t count = 0;

	for (size_t i = 0; i < CHAIN_RANGES_ROOM; i++)
		if (ranges->table[i].birth)
			to[count++] = ranges->table[i];
	return count;
}

static void forget_half(struct chain_ranges *ranges)
{
	struct chain_worst *list = calloc(CHAIN_RANGES_MAX, sizeof(*list));
	size_t count = list ? chain_ranges_list(ranges, list) : 0;

	memset(ranges->table, 0, sizeof(ranges->table));
	if (count)
		qsort(list, count, sizeof(*list), compare_costs);
	ranges->count = count / 2;
	for (size_t i = 0; i < ranges->count; i++)
		*find(ranges, &list[i]) = list[i];
	free(list);
}

static struct chain_links *links_of(struct chain_ranges *ranges, const struct chain_recent *conversion)
{
	const struct chain_worst key = {
		.birth = conversion->birth, .gfn_start = conversion->gfn_start, .gfn_end = conversion->gfn_end,
	};
	struct chain_worst *entry = find(ranges, &key);

	if (entry->birth)
		return &entry->links;
	if (ranges->count == CHAIN_RANGES_MAX) {
		forget_half(ranges);
		entry = find(ranges, &key);
	}
	*entry = key;
	ranges->count++;
	return &entry->links;
}

static void add(struct chain_ranges *ranges, const struct chain_recent *conversion, bool seen, bool follows)
{
	struct chain_links *links = links_of(ranges, conversion);

	if (!seen) {
		links->conversions++;
		links->exits += conversion->exit_ns != 0;
		links->exit_ns += conversion->exit_ns;
		links->convert_ns += conversion->convert_ns;
		links->zaps += conversion->zap_ns != 0;
		links->zap_ns += conversion->zap_ns;
	}
	if (follows) {
		links->refaults++;
		links->refault_ns += conversion->fault_ns;
	}
}

/* Returns whether nothing else has been filled in while the entry was copied. */
static bool copy_recent(struct chain_recent *to, const struct chain_recent *from)
{
	uint32_t followed = __atomic_load_n(&from->followed, __ATOMIC_ACQUIRE);
	uint64_t number = __atomic_load_n(&from->number, __ATOMIC_ACQUIRE);

	*to = *from;
	to->followed = followed;
	return number && to->birth && __atomic_load_n(&from->number, __ATOMIC_ACQUIRE) == number;
}

void chain_ranges_add(struct chain_ranges *ranges, const struct chain_recent *recents)
{
	for (size_t i = 0; i < CHAIN_RECENT; i++) {
		struct chain_recent conversion;
		bool seen, follows;

		if (!copy_recent(&conversion, &recents[i]))
			continue;
		seen = ranges->seen[i].number == conversion.number;
		follows = conversion.followed == CHAIN_FOLLOWED && !(seen && ranges->seen[i].followed);
		if (seen && !follows)
			continue;
		add(ranges, &conversion, seen, follows);
		ranges->seen[i].number = conversion.number;
		ranges->seen[i].followed = conversion.followed == CHAIN_FOLLOWED;
	}
}
