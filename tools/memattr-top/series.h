/* SPDX-License-Identifier: GPL-2.0 */
/* The series that the BPF programs keep for each part of a VM. */
#ifndef MEMATTR_TOP_SERIES_H
#define MEMATTR_TOP_SERIES_H

#include <bpf/libbpf.h>

#include "counts.h"
#include "snapshot.h"
#include "vm_table.h"

struct series_maps {
	const struct bpf_map *series, *ids, *free;
	struct top_series *shared;	/* shared with the kernel */
	unsigned int count;		/* how many there can be */
	bool used;			/* something has been counted */
};

/* Sizes the maps by the host's memory. Call this before they are created. Returns 0 or -errno. */
int series_size(struct series_maps *maps, struct bpf_map *series, struct bpf_map *ids, struct bpf_map *free);
/* Call this when the maps exist and before the programs are attached. Returns 0 or -errno. */
int series_open(struct series_maps *maps);
void series_close(struct series_maps *maps);

/* Forgets exits that have begun: they would seem to last until now. */
void series_forget_exits(struct series_maps *maps);
/*
 * Adds a part to the snapshot for each series of the VMs in it, and frees those of VMs that end: another VM takes their
 * slot afterwards. Returns 0 or -ENOMEM.
 */
int series_add(struct series_maps *maps, struct snapshot *s, const struct vm_table *table);

#endif
