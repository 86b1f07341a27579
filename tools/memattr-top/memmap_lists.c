// SPDX-License-Identifier: GPL-2.0
/* The lists of a snapshot that make the map of a VM's memory. */
#include "memmap.h"

#include <errno.h>

#define FIELD_RUN(member)	FIELD(FIELD_UNSIGNED, struct map_run, #member, member)
#define FIELD_BLOCK(member)	FIELD(FIELD_UNSIGNED, struct map_block, #member, member)

const struct field map_run_fields[] = {
	FIELD_RUN(birth), FIELD_RUN(gfn_start), FIELD_RUN(gfn_end),
	FIELD_TO(MAP_NOT_KNOWN, struct map_run, "kind", kind), FIELD_RUN(slot_id),
};

const struct field map_block_fields[] = {
	FIELD_BLOCK(birth), FIELD_BLOCK(gfn_start), FIELD_BLOCK(gfn_end), FIELD_BLOCK(changed_ns),
	FIELD_BLOCK(conversions), FIELD_BLOCK(faults), FIELD_TO(1, struct map_block, "to_private", to_private),
	FIELD_BLOCK(level),
};

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int map_compare_runs(const void *a, const void *b)
{
	const struct map_run *left = a, *right = b;

	return compare(left->birth, right->birth) ?: compare(left->gfn_start, right->gfn_start);
}

int map_compare_blocks(const void *a, const void *b)
{
	const struct map_block *left = a, *right = b;

	return compare(left->birth, right->birth) ?: compare(left->gfn_start, right->gfn_start) ?:
	       compare(left->gfn_end, right->gfn_end);
}

static int add_run(struct snapshot *s, int list, struct map_run run)
{
	struct map_run *item = run.gfn_start < run.gfn_end ? snapshot_add(s, list) : NULL;

	if (!item)
		return run.gfn_start < run.gfn_end ? -ENOMEM : 0;
	*item = run;
	return 0;
}

/* Adds the shared memory of a memslot up to @until, and then the private one up to @end. */
static int add_two(struct snapshot *s, int list, struct map_run *rest, uint64_t until, uint64_t end)
{
	struct map_run run = *rest;
	int err;

	run.gfn_end = until;
	err = add_run(s, list, run);
	run.gfn_start = until;
	run.gfn_end = rest->gfn_start = end;
	run.kind = MAP_PRIVATE;
	return err ?: add_run(s, list, run);
}

int map_add_runs(struct snapshot *s, int list, uint64_t birth, const struct memmap_slot *slots, size_t slot_count,
		 const struct gfn_ranges *ranges)
{
	size_t at = 0, count = ranges ? ranges->count : 0;
	int err = 0;

	for (size_t i = 0; !err && i < slot_count; i++) {
		struct map_run rest = {
			birth, slots[i].gfn_start, slots[i].gfn_end, ranges ? MAP_SHARED : MAP_NOT_KNOWN, slots[i].id,
		};

		while (at < count && ranges->ranges[at].end <= rest.gfn_start)
			at++;
		while (!err && at < count && ranges->ranges[at].start < rest.gfn_end) {
			const struct gfn_range *range = &ranges->ranges[at];
			uint64_t start = range->start > rest.gfn_start ? range->start : rest.gfn_start;

			if (range->end >= rest.gfn_end) {
				/* It may go on in the next memslot. */
				err = add_two(s, list, &rest, start, rest.gfn_end);
				break;
			}
			err = add_two(s, list, &rest, start, range->end);
			at++;
		}
		if (!err)
			err = add_run(s, list, rest);
	}
	return err;
}

/* Both lists are in order. */
int map_add_gone(struct snapshot *s, int list, uint64_t birth, const struct snapshot *before)
{
	size_t at = 0, count = s->lists[list].count;

	for (size_t i = 0; i < before->lists[list].count; i++) {
		const struct map_run old = *(const struct map_run *)snapshot_item(before, list, i);
		struct map_run *gone;

		if (old.birth != birth || old.gfn_start == old.gfn_end)
			continue;
		while (at < count && ((const struct map_run *)snapshot_item(s, list, at))->gfn_start < old.gfn_start)
			at++;
		if (at < count && ((const struct map_run *)snapshot_item(s, list, at))->gfn_start == old.gfn_start)
			continue;
		gone = snapshot_add(s, list);
		if (!gone)
			return -ENOMEM;
		*gone = old;
		gone->gfn_end = old.gfn_start;
	}
	return 0;
}
