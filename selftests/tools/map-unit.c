// SPDX-License-Identifier: GPL-2.0
/* The map of a VM's memory and the chains of conversions, as far as they need no kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "figures.h"
#include "looks.h"
#include "memmap_view.h"
#include "now.h"
#include "pieces.bpf.h"
#include "random.h"
#include "rows.h"

#define BIRTH	7

/* --- pieces --- */

/* The pieces are aligned to their size, and cover the range without a gap. Returns how many there are. */
static unsigned int check_pieces(uint64_t start, uint64_t end)
{
	__u64 at = start;
	bool is_one = is_piece(start, end);
	unsigned int count = 0;
	struct piece piece;

	while (take_piece(&at, end, &piece)) {
		assert_true(piece.pages && piece.pages <= PIECE_PAGES_MAX && !(piece.pages & (piece.pages - 1)));
		assert_int_equal(piece.start, start);
		assert_int_equal(start % piece.pages, 0);
		start += piece.pages;
		assert_int_equal(at, start);
		count++;
	}
	assert_int_equal(start, end);
	assert_int_equal(is_one, count == 1);
	return count;
}

static void test_pieces(void **state)
{
	uint64_t random = seed_random(1);

	(void)state;
	assert_int_equal(check_pieces(5, 5), 0);
	assert_int_equal(check_pieces(0, PIECE_PAGES_MAX), 1);
	assert_int_equal(check_pieces(512, 1024), 1);
	assert_int_equal(check_pieces(511, 1025), 3);
	assert_int_equal(check_pieces(1, PIECE_PAGES_MAX - 1), PIECES_MAX - 2);
	for (int i = 0; i < 100000; i++) {
		uint64_t start = next_random(&random) % (1ULL << 30), pages = next_random(&random) % (1ULL << (i % 30));

		assert_true(check_pieces(start, start + pages) <= PIECES_MAX);
	}
}

/* --- private ranges --- */

static int parse(struct gfn_ranges *ranges, const char *text)
{
	FILE *file = fmemopen((char *)text, strlen(text), "r");
	int err;

	assert_non_null(file);
	err = gfn_ranges_parse(ranges, file);
	fclose(file);
	return err;
}

static void assert_ranges(const struct gfn_ranges *ranges, const char *expected)
{
	char text[256] = "";
	int len = 0;

	for (size_t i = 0; i < ranges->count; i++)
		len += snprintf(text + len, sizeof(text) - len, "%llx-%llx ", (unsigned long long)ranges->ranges[i].start,
				(unsigned long long)ranges->ranges[i].end);
	assert_string_equal(text, expected);
}

static void test_ranges(void **state)
{
	struct gfn_ranges ranges = {};

	(void)state;
	assert_int_equal(parse(&ranges, "0x1000-0x3000 2 private\n0x8000-0x9000 1\n0x9000-0xa000 1 private\n"), 0);
	assert_ranges(&ranges, "1-3 9-a ");
	assert_int_equal(parse(&ranges, "0x2000-0x3000 1 private\n"), 0);
	assert_ranges(&ranges, "2-3 ");
	assert_int_equal(parse(&ranges, "0x3000 nonsense\n"), -EINVAL);
	assert_int_equal(parse(&ranges, "0x5000-0x6000 1 private\n0x4000-0x5000 1 private\n"), -EINVAL);
	assert_int_equal(parse(&ranges, "0x5000-0x5000 0 private\n"), -EINVAL);
	assert_ranges(&ranges, "2-3 ");
	gfn_ranges_free(&ranges);
}

/* The file tells so many at once; the next reading goes on where the last one ended. */
static void test_ranges_in_parts(void **state)
{
	struct gfn_ranges ranges = {};

	(void)state;
	assert_int_equal(parse(&ranges, "0x1000-0x2000 1 private\nmore from 0x5000 on: write this\n"), 0);
	assert_int_equal(ranges.next, 5);
	assert_ranges(&ranges, "1-2 ");
	assert_int_equal(parse(&ranges, "0x5000-0x7000 2 private\n"), 0);
	assert_int_equal(ranges.next, 0);
	assert_ranges(&ranges, "1-2 5-7 ");
	/* Then from the start again. The ranges after these are kept, and one that is cut in two becomes one again. */
	assert_int_equal(parse(&ranges, "0x3000-0x6000 3 private\nmore from 0x6000 on: write this\n"), 0);
	assert_int_equal(ranges.next, 6);
	assert_ranges(&ranges, "3-7 ");
	assert_int_equal(parse(&ranges, "0x9000-0xa000 1 private\n"), 0);
	assert_ranges(&ranges, "3-6 9-a ");
	gfn_ranges_free(&ranges);
}

/* --- runs --- */

static struct snapshot *new_snapshot(uint64_t seconds)
{
	struct snapshot *s = snapshot_new(top_lists, LIST_COUNT);
	struct top_vm *vm;

	assert_non_null(s);
	s->time_ns = seconds * 1000000000;
	s->measured = ~0U;
	vm = snapshot_add(s, LIST_VMS);
	assert_non_null(vm);
	vm->vm = (struct snapshot_vm){ .birth = BIRTH, .pid = 100, .creator_tid = 100, .name = "vm" };
	return s;
}

static void assert_runs(const struct snapshot *s, const char *expected)
{
	static const char kinds[] = { [MAP_SHARED] = 's', [MAP_PRIVATE] = 'p', [MAP_NOT_KNOWN] = 'u' };
	char text[256] = "";
	int len = 0;

	for (size_t i = 0; i < s->lists[LIST_RUNS].count; i++) {
		const struct map_run *run = snapshot_item(s, LIST_RUNS, i);

		assert_int_equal(run->birth, BIRTH);
		len += snprintf(text + len, sizeof(text) - len, "%llu-%llu%c%u ", (unsigned long long)run->gfn_start,
				(unsigned long long)run->gfn_end, kinds[run->kind], run->slot_id);
	}
	assert_string_equal(text, expected);
}

static const struct memmap_slot slots[] = {
	{ .gfn_start = 10, .gfn_end = 20, .id = 3 },
	{ .gfn_start = 20, .gfn_end = 30, .id = 1 },
	{ .gfn_start = 100, .gfn_end = 110, .id = 2 },
};

static struct snapshot *runs_of(struct gfn_range *list, size_t count)
{
	struct gfn_ranges ranges = { .ranges = list, .count = count };
	struct snapshot *s = new_snapshot(1);

	assert_int_equal(map_add_runs(s, LIST_RUNS, BIRTH, slots, 3, list ? &ranges : NULL), 0);
	return s;
}

static void test_runs(void **state)
{
	/* From before a memslot over two of them; inside of one; up to the end of one; where no memslot is. */
	struct gfn_range across[] = { { 5, 25 }, { 27, 28 }, { 105, 120 }, { 200, 300 } };
	struct gfn_range none[1] = {};
	struct snapshot *s = runs_of(across, 4);

	(void)state;
	assert_runs(s, "10-20p3 20-25p1 25-27s1 27-28p1 28-30s1 100-105s2 105-110p2 ");
	assert_int_equal(map_end(s, BIRTH), 110);
	assert_int_equal(map_end(s, BIRTH + 1), 0);
	assert_int_equal(map_run_at(s, BIRTH, 26)->gfn_start, 25);
	assert_null(map_run_at(s, BIRTH, 30));
	assert_null(map_run_at(s, BIRTH, 9));
	assert_null(map_run_at(s, BIRTH - 1, 26));
	snapshot_free(s);
	s = runs_of(none, 0);
	assert_runs(s, "10-20s3 20-30s1 100-110s2 ");
	snapshot_free(s);
	s = runs_of(NULL, 0);
	assert_runs(s, "10-20u3 20-30u1 100-110u2 ");
	snapshot_free(s);
}

/* A record has what is new: a run that has gone must be told, or a replay would show it for ever. */
static void test_gone(void **state)
{
	struct gfn_range before[] = { { 12, 14 } };
	struct snapshot *then = runs_of(before, 1), *now = runs_of(before, 0);

	(void)state;
	assert_int_equal(map_add_gone(now, LIST_RUNS, BIRTH, then), 0);
	snapshot_sort(now);
	assert_runs(now, "10-20s3 12-12p3 14-14s3 20-30s1 100-110s2 ");
	assert_int_equal(map_run_at(now, BIRTH, 13)->gfn_start, 10);
	/* They are told once. */
	snapshot_free(then);
	then = now;
	now = runs_of(before, 0);
	assert_int_equal(map_add_gone(now, LIST_RUNS, BIRTH, then), 0);
	assert_runs(now, "10-20s3 20-30s1 100-110s2 ");
	snapshot_free(then);
	snapshot_free(now);
}

static void test_next_slot(void **state)
{
	struct gfn_range private[] = { { 22, 24 } };
	struct snapshot *s = runs_of(private, 1);
	uint64_t start, end;

	(void)state;
	assert_true(map_next_slot(s, BIRTH, 0, &start, &end));
	assert_int_equal(start, 10);
	assert_int_equal(end, 20);
	assert_true(map_next_slot(s, BIRTH, 12, &start, &end));
	assert_int_equal(start, 20);
	assert_int_equal(end, 30);
	assert_true(map_next_slot(s, BIRTH, 50, &start, &end));
	assert_int_equal(start, 100);
	assert_true(map_next_slot(s, BIRTH, 109, &start, &end));
	assert_int_equal(start, 10);
	assert_false(map_next_slot(s, BIRTH + 1, 0, &start, &end));
	snapshot_free(s);
}

/* --- cells --- */

static void add_block(struct snapshot *s, uint64_t start, uint64_t end, uint64_t changed_s, uint64_t faults)
{
	struct map_block *block = snapshot_add(s, LIST_BLOCKS);

	assert_non_null(block);
	*block = (struct map_block){
		.birth = BIRTH, .gfn_start = start, .gfn_end = end, .changed_ns = changed_s * 1000000000,
		.conversions = changed_s ? 1 : 0, .faults = faults, .to_private = 1, .level = faults ? 2 : 0,
	};
}

static struct map_grid grid_of(uint64_t gfn_start, unsigned int order, int columns, int lines)
{
	struct map_grid grid = { .gfn_start = gfn_start, .order = order, .columns = columns, .lines = lines };

	grid.cells = calloc((size_t)columns * lines, sizeof(*grid.cells));
	assert_non_null(grid.cells);
	return grid;
}

static void assert_kinds(const struct map_grid *grid, const char *expected)
{
	static const char letters[] = "spum.";
	char text[128] = "";

	for (int i = 0; i < grid->columns * grid->lines; i++)
		text[i] = letters[map_cell_kind(&grid->cells[i])];
	assert_string_equal(text, expected);
}

static void test_cells(void **state)
{
	struct gfn_range private[] = { { 14, 17 }, { 104, 108 } };
	struct snapshot *then = runs_of(private, 2), *now = runs_of(private, 2);
	struct map_grid grid = grid_of(8, 1, 8, 2);

	(void)state;
	add_block(then, 16, 32, 0, 5);
	add_block(now, 0, 64, 3, 0);
	add_block(now, 16, 32, 0, 65);
	map_fill(&grid, then, now, BIRTH);
	/* 8 10 12 14 16 18 20 ...: a cell has two pages. */
	assert_kinds(&grid, ".ssp" "mssssss" ".....");
	assert_int_equal(grid.cells[4].pages[MAP_PRIVATE], 1);
	assert_int_equal(grid.cells[4].pages[MAP_SHARED], 1);
	assert_int_equal(grid.cells[4].faults, 65);
	assert_int_equal(grid.cells[4].conversions, 1);
	assert_int_equal(grid.cells[4].level, 2);
	assert_int_equal(grid.cells[0].faults, 0);
	assert_int_equal(map_heat_by_faults(&grid.cells[4], 1), 2);
	assert_int_equal(map_heat_by_faults(&grid.cells[4], 0.5), 3);
	assert_int_equal(map_heat_by_faults(&grid.cells[4], 0), 0);
	assert_int_equal(map_heat_by_faults(&grid.cells[0], 1), 0);
	assert_int_equal(map_heat_by_age(&grid.cells[0], 4000000000), 3);
	assert_int_equal(map_heat_by_age(&grid.cells[0], 8000000000), 2);
	assert_int_equal(map_heat_by_age(&grid.cells[0], 80000000000), 1);
	free(grid.cells);
	grid = grid_of(100, 2, 4, 1);
	map_fill(&grid, NULL, now, BIRTH);
	assert_kinds(&grid, "sps.");
	assert_int_equal(map_heat_by_age(&grid.cells[0], 8000000000), 0);
	free(grid.cells);
	snapshot_free(then);
	snapshot_free(now);
}

static void test_fit(void **state)
{
	(void)state;
	assert_int_equal(map_fit(0, 64, 64), 0);
	assert_int_equal(map_fit(0, 65, 64), 1);
	/* The range is not aligned: it has a part of one more cell. */
	assert_int_equal(map_fit(1, 129, 64), 2);
	assert_int_equal(map_fit(0, 1ULL << 28, 1024), 18);
}

static void test_words(void **state)
{
	struct map_cell cell = { .pages = { [MAP_PRIVATE] = 3, [MAP_SHARED] = 1 }, .level = 1, .faults = 1 };
	const struct map_run run = { .gfn_start = 0x100, .gfn_end = 0x280, .slot_id = 5 };
	char text[192];

	(void)state;
	map_cell_text(&cell, 0x100, 2, &run, text, sizeof(text));
	assert_string_equal(text, "0x100000 +16K: mixed: 12K private, 4K shared; run 0x100000 +1.5M, memslot 5");
	map_cell_text(&(struct map_cell){}, 0x100000, 18, NULL, text, sizeof(text));
	assert_string_equal(text, "0x100000000 +1G: no memory");
	map_history_text(&cell, 9000000000, ~0U, text, sizeof(text));
	assert_string_equal(text, "no conversion; 1 fault, mapped 4K");
	map_history_text(&cell, 9000000000, 0, text, sizeof(text));
	assert_string_equal(text, "conversions n/a; faults n/a, mapped 4K");
	cell = (struct map_cell){ .changed_ns = 6500000000, .conversions = 2, .to_private = 1, .faults = 30 };
	map_history_text(&cell, 9000000000, ~0U, text, sizeof(text));
	assert_string_equal(text, "2 conversions, the last 2.5 s ago to private; 30 faults");
}

enum { LARGE_RUNS = 524288, LARGE_PAGES = 512, LARGE_COLUMNS = 128, LARGE_LINES = 60 };

/* Makes a snapshot and its cells, as each refresh does, and says how long that took. */
static struct snapshot *refresh(struct map_grid *grid, const struct gfn_ranges *ranges)
{
	const struct memmap_slot slot = { .gfn_end = (uint64_t)LARGE_RUNS * LARGE_PAGES, .id = 1 };
	struct snapshot *s = new_snapshot(1);
	uint64_t start_ns = now_ns(), made_ns;

	assert_int_equal(map_add_runs(s, LIST_RUNS, BIRTH, &slot, 1, ranges), 0);
	snapshot_sort(s);
	made_ns = now_ns();
	map_fill(grid, NULL, s, BIRTH);
	print_message("1 TiB in 2 MiB pieces: %.1f ms for the runs, %.1f ms for the cells\n",
		      (made_ns - start_ns) / 1e6, (now_ns() - made_ns) / 1e6);
	return s;
}

/* A VM of 1 TiB in which each second block of 2 MiB is private. The work is proportional to what there is. */
static void test_large(void **state)
{
	const uint64_t gfn_end = (uint64_t)LARGE_RUNS * LARGE_PAGES;
	struct map_grid grid = grid_of(0, map_fit(0, gfn_end, LARGE_COLUMNS * LARGE_LINES), LARGE_COLUMNS, LARGE_LINES);
	struct gfn_ranges ranges = { .ranges = calloc(LARGE_RUNS / 2, sizeof(*ranges.ranges)), .count = LARGE_RUNS / 2 };
	struct snapshot *s = NULL;

	(void)state;
	assert_non_null(ranges.ranges);
	for (uint64_t i = 0; i < LARGE_RUNS / 2; i++)
		ranges.ranges[i] = (struct gfn_range){ 2 * i * LARGE_PAGES, (2 * i + 1) * LARGE_PAGES };
	/* Only the first ones have to get memory from the kernel. */
	for (int i = 0; i < 4; i++) {
		snapshot_free(s);
		s = refresh(&grid, &ranges);
	}
	assert_int_equal(s->lists[LIST_RUNS].count, LARGE_RUNS);
	assert_true(grid.steps <= 2 * LARGE_RUNS + LARGE_COLUMNS * LARGE_LINES);
	assert_int_equal(map_cell_kind(&grid.cells[0]), MAP_MIXED);
	assert_int_equal(grid.cells[1].pages[MAP_PRIVATE], 1ULL << (grid.order - 1));
	/* Zoomed in, what is not on the screen is not looked at. */
	grid.order = 9;
	grid.gfn_start = gfn_end / 2;
	map_fill(&grid, NULL, s, BIRTH);
	assert_true(grid.steps <= 2 * LARGE_COLUMNS * LARGE_LINES + 1);
	assert_int_equal(map_cell_kind(&grid.cells[0]), MAP_PRIVATE);
	assert_int_equal(map_cell_kind(&grid.cells[1]), MAP_SHARED);
	free(grid.cells);
	free(ranges.ranges);
	snapshot_free(s);
}

/* --- chains --- */

static void add_chain(struct snapshot *s, struct chain_links links)
{
	struct chain_item *item = snapshot_add(s, LIST_CHAINS);

	assert_non_null(item);
	*item = (struct chain_item){ .birth = BIRTH, .links = links };
}

static void assert_figures(const struct pair *pair, long link, double count, double mean, double share)
{
	const struct snapshot_vm *vm = snapshot_item(pair->now, LIST_VMS, 0);
	struct chain_figures f = {};

	fill_chain_figures(&f, pair, vm, link);
	assert_true(f.count.kind == CELL_NUMBER && f.count.number == count);
	assert_int_equal(f.mean.kind, count > 0 ? CELL_NUMBER : CELL_NO_SAMPLE);
	assert_true(f.mean.number == mean);
	assert_int_equal(f.share.kind, share < 0 ? CELL_NO_SAMPLE : CELL_NUMBER);
	assert_true(share < 0 || f.share.number == share);
}

static void test_links(void **state)
{
	struct snapshot *then = new_snapshot(1), *now = new_snapshot(3);
	struct chain_figures f;
	struct pair pair;
	long link = ALL_PARTS, count = 0;

	(void)state;
	add_chain(then, (struct chain_links){ .conversions = 10, .convert_ns = 1000, .exits = 10, .exit_ns = 500 });
	add_chain(now, (struct chain_links){
		.conversions = 20, .convert_ns = 4000, .exits = 14, .exit_ns = 1500, .zaps = 5, .zap_ns = 1000,
		.refaults = 8, .refault_ns = 5000, .wait_ns = 80000,
	});
	pair = pair_of(then, now, false);
	assert_figures(&pair, 0, 2, 250, 10);
	assert_figures(&pair, 1, 5, 300, 30);
	assert_figures(&pair, 2, 2.5, 200, 10);
	assert_figures(&pair, 3, 4, 10000, -1);
	assert_figures(&pair, 4, 4, 625, 50);
	pair = pair_of(then, now, true);
	assert_figures(&pair, 1, 20, 200, 100.0 * 4000 / 11500);
	now->measured = MEASURE_CHAINS;
	fill_chain_figures(&f, &pair, snapshot_item(now, LIST_VMS, 0), 0);
	assert_int_equal(f.count.kind, CELL_NOT_MEASURED);
	assert_figures(&pair, 1, 20, 200, 100.0 * 4000 / 11500);
	while ((link = chain_next_link(now, snapshot_item(now, LIST_VMS, 0), link)) != ALL_PARTS)
		count++;
	assert_int_equal(count, 5);
	snapshot_free(then);
	snapshot_free(now);
}

static void test_worst(void **state)
{
	struct chain_worst ranges[40];
	size_t count = 0;

	(void)state;
	for (uint64_t i = 0; i < 40; i++)
		ranges[i] = (struct chain_worst){
			.birth = 1 + i % 3, .gfn_start = i, .gfn_end = i + 1,
			.links.convert_ns = 1000 - i, .links.wait_ns = 9 * i,
		};
	/* The third VM has 13 ranges; of each VM ten are kept. */
	count = chain_keep_worst(ranges, 40);
	assert_int_equal(count, 3 * CHAIN_WORST_MAX);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(ranges[i].birth, 1 + i / CHAIN_WORST_MAX);
		assert_int_equal(ranges[i].gfn_start, ranges[i].birth - 1 + 3 * (i % CHAIN_WORST_MAX));
	}
	assert_int_equal(chain_keep_worst(ranges, 0), 0);
}

static struct chain_recent recents[CHAIN_RECENT];
static struct chain_ranges sums;

static void set_recent(uint64_t number, uint64_t birth, uint64_t gfn, uint64_t cost_ns)
{
	recents[number % CHAIN_RECENT] = (struct chain_recent){
		.number = number, .birth = birth, .gfn_start = gfn, .gfn_end = gfn + 4, .convert_ns = cost_ns, .zap_ns = 1,
	};
}

/* Each conversion is added once, and its fault when it has come. */
static void test_sums(void **state)
{
	static struct chain_worst list[CHAIN_RANGES_MAX];

	(void)state;
	set_recent(1, BIRTH, 0x100, 50);
	set_recent(2, BIRTH, 0x100, 60);
	set_recent(3, BIRTH, 0x200, 70);
	recents[3].followed = CHAIN_FAULTING;
	for (int i = 0; i < 3; i++)
		chain_ranges_add(&sums, recents);
	assert_int_equal(chain_keep_worst(list, chain_ranges_list(&sums, list)), 2);
	assert_int_equal(list[0].gfn_start, 0x100);
	assert_int_equal(list[0].links.conversions, 2);
	assert_int_equal(list[0].links.zaps, 2);
	assert_int_equal(list[0].links.exits, 0);
	assert_int_equal(chain_cost_ns(&list[0].links), 112);
	assert_int_equal(list[1].links.refaults, 0);
	recents[3].followed = CHAIN_FOLLOWED;
	recents[3].fault_ns = 500;
	for (int i = 0; i < 3; i++)
		chain_ranges_add(&sums, recents);
	/* A conversion that has been overwritten counts on. One that is being filled in does not count yet. */
	set_recent(CHAIN_RECENT + 1, BIRTH + 1, 0x100, 9);
	set_recent(4, BIRTH, 0x900, 9);
	recents[4].number = 0;
	chain_ranges_add(&sums, recents);
	assert_int_equal(chain_keep_worst(list, chain_ranges_list(&sums, list)), 3);
	assert_int_equal(list[0].gfn_start, 0x200);
	assert_int_equal(list[0].links.refaults, 1);
	assert_int_equal(list[0].links.refault_ns, 500);
	assert_int_equal(list[1].links.conversions, 2);
	assert_int_equal(list[2].birth, BIRTH + 1);
}

/* If there are too many ranges, those that have cost most stay. */
static void test_many_ranges(void **state)
{
	static struct chain_worst list[CHAIN_RANGES_MAX];
	uint64_t number = 2 * CHAIN_RECENT;

	(void)state;
	memset(&sums, 0, sizeof(sums));
	set_recent(number++, BIRTH, 0x42, 1000000);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < CHAIN_RECENT - 1; i++, number++)
			set_recent(number, BIRTH, 4 * number, 100);
		chain_ranges_add(&sums, recents);
		assert_true(chain_ranges_list(&sums, list) <= CHAIN_RANGES_MAX);
	}
	assert_int_equal(chain_keep_worst(list, chain_ranges_list(&sums, list)), CHAIN_WORST_MAX);
	assert_int_equal(list[0].gfn_start, 0x42);
	assert_int_equal(list[0].links.convert_ns, 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_ranges_in_parts),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_next_slot),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_worst),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_many_ranges),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
