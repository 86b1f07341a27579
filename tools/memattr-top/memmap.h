/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Collects a map of the memory of one VM, while somebody looks at it: where it has memslots, which of it is private,
 * and where conversions and faults take place. It is made of runs and blocks, not of pages.
 */
#ifndef MEMATTR_TOP_MEMMAP_H
#define MEMATTR_TOP_MEMMAP_H

#include <linux/types.h>

#include "fallback.h"
#include "memmap_block.h"
#include "memmap_ranges.h"
#include "snapshot.h"

/*
 * Pages of one memslot with equal attributes. A run without pages stands where one was that has gone: a record has
 * what is new only.
 */
struct map_run {
	uint64_t birth;		/* of the VM */
	uint64_t gfn_start, gfn_end;
	uint32_t kind;		/* enum map_kind */
	uint32_t slot_id;
};

enum map_kind {
	MAP_SHARED,
	MAP_PRIVATE,
	MAP_NOT_KNOWN,	/* this kernel does not tell */
};

/* What has happened in a block since somebody began to look. Blocks of several sizes can overlap. */
struct map_block {
	uint64_t birth;		/* of the VM */
	uint64_t gfn_start, gfn_end;
	uint64_t changed_ns;	/* CLOCK_MONOTONIC, the last conversion; 0: none */
	uint64_t conversions, faults;
	uint32_t to_private;	/* the last conversion was to private */
	uint32_t level;		/* of what the last fault mapped: 1 4K, 2 2M, 3 1G; 0: not known */
};

extern const struct field map_run_fields[5], map_block_fields[8];
int map_compare_runs(const void *a, const void *b);
int map_compare_blocks(const void *a, const void *b);

/* The lists of a snapshot. */
#define MAP_RUN_LIST \
	{ "run", sizeof(struct map_run), 1 << 20, map_run_fields, sizeof(map_run_fields) / sizeof(*map_run_fields), \
	  map_compare_runs, true, false }
#define MAP_BLOCK_LIST \
	{ "block", sizeof(struct map_block), 1 << 20, map_block_fields, \
	  sizeof(map_block_fields) / sizeof(*map_block_fields), map_compare_blocks, true, false }

/* Metrics of map_fallback. */
enum map_metric {
	MAP_CONVERSIONS,
	MAP_FAULTS,
	MAP_METRICS,
};

extern const struct fallback map_fallback;

/* Whose memory it is. */
struct map_vm {
	uint64_t birth;
	uint64_t kvm;		/* the address of its struct kvm */
	const char *dir;	/* its folder in debugfs */
};

struct memmap_bpf;

struct memmap {
	bool probed;
	int error;		/* the map cannot be had here: -errno */
	struct hooks hooks;
	struct memmap_bpf *bpf;	/* NULL: nobody looks */
	struct memmap_slot *slots;	/* MEMMAP_SLOTS of them, shared with the kernel */
	uint64_t birth;		/* of the VM that is shown; 0: none yet */
	struct gfn_ranges ranges;	/* its private memory */
	uint64_t changes, generation;	/* when these were read last */
	bool no_attributes;	/* the kernel did not tell which memory is private */
};

/* Finds out what can be collected here. */
void memmap_probe(struct memmap *map);
/* Begins to collect. Returns 0 or -errno. */
int memmap_start(struct memmap *map);
/* Ends it, and drops what was collected. It does nothing if nothing is collected. */
void memmap_stop(struct memmap *map);

/*
 * Adds the runs and blocks of a VM to the lists. @before is the last snapshot, or NULL; @patched tells that the kernel
 * has memory attributes in debugfs. Returns 0 or -errno.
 */
int memmap_read(struct memmap *map, const struct map_vm *vm, bool patched, const struct snapshot *before,
		struct snapshot *s, int runs, int blocks);

/* Says in the snapshot what can be known of any VM, and how much was lost. */
void memmap_tell(struct memmap *map, bool patched, struct snapshot *s);

/* Makes runs of memslots, which are in order, and private ranges; NULL: it is not known what is private. */
int map_add_runs(struct snapshot *s, int list, uint64_t birth, const struct memmap_slot *slots, size_t slot_count,
		 const struct gfn_ranges *ranges);
/* Adds runs without pages for those of the VM that were in @before and have no successor. */
int map_add_gone(struct snapshot *s, int list, uint64_t birth, const struct snapshot *before);

#endif
