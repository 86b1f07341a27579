// SPDX-License-Identifier: GPL-2.0
#include "memmap_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "figures.h"

#define PAGE_SHIFT	12
#define NS_PER_S	1000000000ULL

/* The limits from which a cell counts as hot, or as warm. */
#define HOT_AGE_NS	(2 * NS_PER_S)
#define WARM_AGE_NS	(30 * NS_PER_S)
#define HOT_FAULTS_PER_S	100
#define WARM_FAULTS_PER_S	10

/* Items of both lists begin with these. */
struct span {
	uint64_t birth;
	uint64_t gfn_start, gfn_end;
};

static const struct span *span_at(const struct snapshot *s, int list, size_t at)
{
	return snapshot_item(s, list, at);
}

/* Returns the first item of the VM that begins at @gfn or later; the items of the VM end where others begin. */
static size_t find(const struct snapshot *s, int list, uint64_t birth, uint64_t gfn)
{
	size_t low = 0, high = s->lists[list].count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct span *span = span_at(s, list, middle);

		if (span->birth < birth || (span->birth == birth && span->gfn_start < gfn))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct map_run *map_run_at(const struct snapshot *s, uint64_t birth, uint64_t gfn)
{
	/* Runs without pages, which have gone, can be in between. */
	for (size_t at = find(s, LIST_RUNS, birth, gfn + 1); at; at--) {
		const struct map_run *run = snapshot_item(s, LIST_RUNS, at - 1);

		if (run->birth != birth)
			return NULL;
		if (run->gfn_start != run->gfn_end)
			return gfn < run->gfn_end ? run : NULL;
	}
	return NULL;
}

long map_next_run(const struct snapshot *s, const struct snapshot_vm *vm, long at)
{
	size_t next = at == ALL_PARTS ? find(s, LIST_RUNS, vm->birth, 0) : (size_t)at + 1;

	for (; next < s->lists[LIST_RUNS].count; next++) {
		const struct span *run = span_at(s, LIST_RUNS, next);

		if (run->birth != vm->birth)
			break;
		if (run->gfn_start != run->gfn_end)
			return (long)next;
	}
	return ALL_PARTS;
}

uint64_t map_end(const struct snapshot *s, uint64_t birth)
{
	for (size_t at = find(s, LIST_RUNS, birth, UINT64_MAX); at; at--) {
		const struct span *run = span_at(s, LIST_RUNS, at - 1);

		if (run->birth != birth)
			return 0;
		if (run->gfn_start != run->gfn_end)
			return run->gfn_end;
	}
	return 0;
}

bool map_next_slot(const struct snapshot *s, uint64_t birth, uint64_t gfn, uint64_t *gfn_start, uint64_t *gfn_end)
{
	const struct map_run *here = map_run_at(s, birth, gfn), *found = NULL;
	size_t first = find(s, LIST_RUNS, birth, 0), count = find(s, LIST_RUNS, birth + 1, 0) - first;
	size_t next = find(s, LIST_RUNS, birth, gfn + 1) - first;

	/* After the last memslot comes the first one. */
	for (size_t i = 0; i < count; i++) {
		const struct map_run *run = snapshot_item(s, LIST_RUNS, first + (next + i) % count);

		if (run->gfn_start == run->gfn_end || (here && run->slot_id == here->slot_id))
			continue;
		if (found && run->slot_id != found->slot_id)
			break;
		if (!found)
			*gfn_start = run->gfn_start;
		*gfn_end = run->gfn_end;
		found = run;
	}
	return found;
}

unsigned int map_fit(uint64_t gfn_start, uint64_t gfn_end, uint64_t cells)
{
	unsigned int order = 0;

	while (order < MAP_ORDER_MAX && ((gfn_end - 1) >> order) - (gfn_start >> order) >= cells)
		order++;
	return order;
}

/* Takes the part of the span that is on the screen. Returns how many cells it has, and the first one in @first. */
static uint64_t clip(const struct map_grid *grid, const struct span *span, uint64_t *start, uint64_t *end,
		     uint64_t *first)
{
	uint64_t grid_end = grid->gfn_start + ((uint64_t)grid->columns * grid->lines << grid->order);

	*start = span->gfn_start > grid->gfn_start ? span->gfn_start : grid->gfn_start;
	*end = span->gfn_end < grid_end ? span->gfn_end : grid_end;
	*first = 0;
	if (*start >= *end)
		return 0;
	*first = (*start - grid->gfn_start) >> grid->order;
	return ((*end - 1 - grid->gfn_start) >> grid->order) - *first + 1;
}

static void fill_run(struct map_grid *grid, const struct map_run *run)
{
	uint64_t start, end, first, count = clip(grid, (const struct span *)run, &start, &end, &first);

	for (uint64_t i = first; i < first + count; i++) {
		uint64_t next = grid->gfn_start + ((i + 1) << grid->order);

		grid->steps++;
		next = next < end ? next : end;
		grid->cells[i].pages[run->kind] += next - start;
		start = next;
	}
}

static void fill_block(struct map_grid *grid, const struct map_block *block, bool before)
{
	uint64_t start, end, first, count = clip(grid, (const struct span *)block, &start, &end, &first);

	for (struct map_cell *cell = grid->cells + first; count && cell < grid->cells + first + count; cell++) {
		grid->steps++;
		if (before) {
			cell->faults_before += block->faults;
			continue;
		}
		cell->faults += block->faults;
		cell->conversions += block->conversions;
		cell->level = block->level ?: cell->level;
		if (block->changed_ns <= cell->changed_ns)
			continue;
		cell->changed_ns = block->changed_ns;
		cell->to_private = block->to_private;
	}
}

static void fill_blocks(struct map_grid *grid, const struct snapshot *s, uint64_t birth, bool before)
{
	/* Large blocks that begin before the screen can reach into it. */
	for (size_t at = find(s, LIST_BLOCKS, birth, 0); at < s->lists[LIST_BLOCKS].count; at++) {
		const struct map_block *block = snapshot_item(s, LIST_BLOCKS, at);

		if (block->birth != birth)
			break;
		grid->steps++;
		fill_block(grid, block, before);
	}
}

void map_fill(struct map_grid *grid, const struct snapshot *before, const struct snapshot *now, uint64_t birth)
{
	const struct map_run *first = map_run_at(now, birth, grid->gfn_start);
	uint64_t grid_end = grid->gfn_start + ((uint64_t)grid->columns * grid->lines << grid->order);

	grid->steps = 0;
	memset(grid->cells, 0, sizeof(*grid->cells) * grid->columns * grid->lines);
	for (size_t at = find(now, LIST_RUNS, birth, first ? first->gfn_start : grid->gfn_start);
	     at < now->lists[LIST_RUNS].count; at++) {
		const struct map_run *run = snapshot_item(now, LIST_RUNS, at);

		if (run->birth != birth || run->gfn_start >= grid_end)
			break;
		grid->steps++;
		fill_run(grid, run);
	}
	fill_blocks(grid, now, birth, false);
	if (before)
		fill_blocks(grid, before, birth, true);
}

unsigned int map_cell_kind(const struct map_cell *cell)
{
	unsigned int kind = MAP_NOTHING;

	for (unsigned int i = 0; i <= MAP_NOT_KNOWN; i++)
		if (cell->pages[i])
			kind = kind == MAP_NOTHING ? i : MAP_MIXED;
	return kind;
}

int map_heat_by_age(const struct map_cell *cell, uint64_t now_ns)
{
	uint64_t age_ns = now_ns > cell->changed_ns ? now_ns - cell->changed_ns : 0;

	if (!cell->changed_ns)
		return 0;
	return age_ns < HOT_AGE_NS ? 3 : age_ns < WARM_AGE_NS ? 2 : 1;
}

int map_heat_by_faults(const struct map_cell *cell, double seconds)
{
	double rate;

	/* The kernel may have dropped blocks to make room: they count as never seen. */
	if (seconds <= 0 || cell->faults <= cell->faults_before)
		return 0;
	rate = (cell->faults - cell->faults_before) / seconds;
	return rate >= HOT_FAULTS_PER_S ? 3 : rate >= WARM_FAULTS_PER_S ? 2 : 1;
}

void map_size_text(uint64_t pages, char *text, size_t size)
{
	static const char units[] = "KMGTP";
	double value = pages * 4.0;
	int unit = 0;

	while (value >= 1024 && unit < (int)sizeof(units) - 2) {
		value /= 1024;
		unit++;
	}
	snprintf(text, size, value == (uint64_t)value ? "%.0f%c" : "%.1f%c", value, units[unit]);
}

static void kind_text(const struct map_cell *cell, char *text, size_t size)
{
	static const char * const names[] = {
		[MAP_SHARED] = "shared", [MAP_PRIVATE] = "private", [MAP_NOT_KNOWN] = "private or shared: n/a",
		[MAP_NOTHING] = "no memory",
	};
	char private_size[16], shared_size[16];
	unsigned int kind = map_cell_kind(cell);

	if (kind != MAP_MIXED) {
		snprintf(text, size, "%s", names[kind]);
		return;
	}
	map_size_text(cell->pages[MAP_PRIVATE], private_size, sizeof(private_size));
	map_size_text(cell->pages[MAP_SHARED], shared_size, sizeof(shared_size));
	snprintf(text, size, "mixed: %s private, %s shared", private_size, shared_size);
}

void map_cell_text(const struct map_cell *cell, uint64_t gfn, unsigned int order, const struct map_run *run,
		   char *text, size_t size)
{
	char kind[64], cell_size[16], run_size[16];
	int len;

	kind_text(cell, kind, sizeof(kind));
	map_size_text(1ULL << order, cell_size, sizeof(cell_size));
	len = snprintf(text, size, "0x%" PRIx64 " +%s: %s", gfn << PAGE_SHIFT, cell_size, kind);
	if (!run || len < 0 || (size_t)len >= size)
		return;
	map_size_text(run->gfn_end - run->gfn_start, run_size, sizeof(run_size));
	snprintf(text + len, size - len, "; run 0x%" PRIx64 " +%s, memslot %u", run->gfn_start << PAGE_SHIFT, run_size,
		 run->slot_id);
}

void map_history_text(const struct map_cell *cell, uint64_t now_ns, unsigned int measured, char *text, size_t size)
{
	static const char * const levels[] = { "", ", mapped 4K", ", mapped 2M", ", mapped 1G" };
	char changed[64] = "no conversion", faults[32] = "faults n/a";
	uint64_t age_ns = now_ns > cell->changed_ns ? now_ns - cell->changed_ns : 0;

	if (!(measured & MEASURE_MAP_CONVERSIONS))
		snprintf(changed, sizeof(changed), "conversions n/a");
	else if (cell->changed_ns)
		snprintf(changed, sizeof(changed), "%" PRIu64 " conversion%s, the last %.1f s ago to %s",
			 cell->conversions, cell->conversions == 1 ? "" : "s", (double)age_ns / NS_PER_S,
			 cell->to_private ? "private" : "shared");
	if (measured & MEASURE_MAP_FAULTS)
		snprintf(faults, sizeof(faults), "%" PRIu64 " fault%s", cell->faults, cell->faults == 1 ? "" : "s");
	snprintf(text, size, "%s; %s%s", changed, faults, cell->level < 4 ? levels[cell->level] : "");
}
