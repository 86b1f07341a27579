/* SPDX-License-Identifier: GPL-2.0 */
/* KVM's own statistics of each VM, which the kernel side reads. */
#ifndef MEMATTR_TOP_STATS_H
#define MEMATTR_TOP_STATS_H

#include <bpf/libbpf.h>

#include "counts.h"
#include "figures.h"
#include "vm_table.h"

struct stats {
	const struct bpf_map *map;
	struct top_stats_of_vm *shared;	/* VM_SLOTS of them, shared with the kernel */
	int program;			/* reads them for all VMs */
	struct {
		uint64_t birth;
		uint64_t huge_pages;	/* that were mapped when counting began */
	} begin[VM_SLOTS];
	bool counting;			/* huge pages that get mapped are counted */
};

/* Returns 0 or -errno. */
int stats_open(struct stats *stats, const struct bpf_map *map, int program);
void stats_close(struct stats *stats);

/* Has the kernel note what each VM has counted so far. Call it before the programs are attached. */
void stats_read_old(const struct bpf_program *program);
/* Has the kernel read them now. Returns 0 or -errno. */
int stats_read(const struct stats *stats);
/* Says whether huge pages that get mapped are counted from now on. */
void stats_count_huge(struct stats *stats, const struct vm_table *table, const struct top_counts *counts,
		      bool counting);
/* Fills in what stats_read() has read. @of_series: the kernel has the statistics that the series adds. */
void stats_fill(struct stats *stats, struct top_vm *vm, uint32_t slot, const struct vm_owner *owner, bool of_series);

#endif
