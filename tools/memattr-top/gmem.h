/* SPDX-License-Identifier: GPL-2.0 */
/* What the guest_memfds of each VM hold, which neither the VMM's RSS nor Shmem shows. */
#ifndef MEMATTR_TOP_GMEM_H
#define MEMATTR_TOP_GMEM_H

#include <bpf/libbpf.h>

#include "counts.h"
#include "figures.h"

struct gmem {
	const struct bpf_map *map;
	const struct top_gmem *shared;	/* VM_SLOTS of them, shared with the kernel */
	int program;			/* reads them for all VMs */
};

/* Returns 0 or -errno. */
int gmem_open(struct gmem *gmem, const struct bpf_map *map, int program);
void gmem_close(struct gmem *gmem);

/* Has the kernel read them now. Returns 0 or -errno. */
int gmem_read(const struct gmem *gmem);
/* Fills in what gmem_read() has read, after @vm->private_pages. @of_series: the kernel counts private pages. */
void gmem_fill(const struct gmem *gmem, struct top_vm *vm, uint32_t slot, bool of_series);

#endif
