/* SPDX-License-Identifier: GPL-2.0 */
/* The map of a VM's memory as a grid of cells, each of which stands for 2^order pages. It knows nothing of screens. */
#ifndef MEMATTR_TOP_MEMMAP_VIEW_H
#define MEMATTR_TOP_MEMMAP_VIEW_H

#include "memmap.h"

/* A page table entry of the highest level maps that much, and no VM has more than some thousand of them. */
#define MAP_ORDER_MAX	40

/* Several kinds are in a cell. */
#define MAP_MIXED	(MAP_NOT_KNOWN + 1)
/* None is: there is no memslot. */
#define MAP_NOTHING	(MAP_MIXED + 1)

struct map_cell {
	uint64_t pages[MAP_NOT_KNOWN + 1];	/* by enum map_kind */
	uint64_t changed_ns;	/* the last conversion; 0: none */
	uint64_t conversions, faults;	/* since somebody began to look */
	uint64_t faults_before;	/* as of the snapshot before */
	uint32_t to_private;	/* the last conversion was to private */
	uint32_t level;		/* of what a fault mapped last; 0: not known */
};

/* The part of the memory that is on the screen. */
struct map_grid {
	uint64_t gfn_start;
	unsigned int order;
	int columns, lines;
	struct map_cell *cells;	/* columns * lines */
	uint64_t steps;		/* runs, blocks and cells that were looked at */
};

/* Where a VM's memory ends; 0: nothing is known of it. */
uint64_t map_end(const struct snapshot *s, uint64_t birth);

/* Returns the smallest order with which a range fits into so many cells. */
unsigned int map_fit(uint64_t gfn_start, uint64_t gfn_end, uint64_t cells);

/* Fills the cells with what the snapshots have of the VM. @before may be NULL. */
void map_fill(struct map_grid *grid, const struct snapshot *before, const struct snapshot *now, uint64_t birth);

/* Returns an enum map_kind, MAP_MIXED or MAP_NOTHING. */
unsigned int map_cell_kind(const struct map_cell *cell);

/* From 0, nothing has happened in it, to MAP_HEAT_MAX. */
#define MAP_HEAT_MAX	3
int map_heat_by_age(const struct map_cell *cell, uint64_t now_ns);
int map_heat_by_faults(const struct map_cell *cell, double seconds);

/* Goes through the runs of a VM: returns the place in the list of the next one after @at, or ALL_PARTS. */
long map_next_run(const struct snapshot *s, const struct snapshot_vm *vm, long at);

/* Finds the run that a gfn is in, or NULL. */
const struct map_run *map_run_at(const struct snapshot *s, uint64_t birth, uint64_t gfn);

/* Finds the next memslot after the one that a gfn is in, or the first one. Returns false if there is none. */
bool map_next_slot(const struct snapshot *s, uint64_t birth, uint64_t gfn, uint64_t *gfn_start, uint64_t *gfn_end);

/* "2M", "1.5G" */
void map_size_text(uint64_t pages, char *text, size_t size);
/* Say in words what is in a cell, and what has happened there. */
void map_cell_text(const struct map_cell *cell, uint64_t gfn, unsigned int order, const struct map_run *run,
		   char *text, size_t size);
void map_history_text(const struct map_cell *cell, uint64_t now_ns, unsigned int measured, char *text, size_t size);

#endif
