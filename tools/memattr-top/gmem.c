// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "gmem.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "bpf_maps.h"

int gmem_open(struct gmem *gmem, const struct bpf_map *map, int program)
{
	*gmem = (struct gmem){ .map = map, .shared = map_shared(map), .program = program };
	return gmem->shared ? 0 : -errno;
}

void gmem_close(struct gmem *gmem)
{
	if (gmem->map)
		unmap_shared(gmem->map, (void *)gmem->shared);
}

int gmem_read(const struct gmem *gmem)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	return bpf_prog_test_run_opts(gmem->program, &options);
}

/* No more can be private than is held, and no more than conversions and the files' creation have made private. */
void gmem_fill(const struct gmem *gmem, struct top_vm *vm, uint32_t slot, bool of_series)
{
	const struct top_gmem *from = &gmem->shared[slot];
	int64_t attributes = from->private_at_first + vm->private_pages;

	vm->gmem_pages = vm->gmem_private_pages = GMEM_NOT_KNOWN;
	if (vm->vm.ended)
		vm->gmem_pages = 0;
	else if (from->birth == vm->vm.birth)
		vm->gmem_pages = from->pages;
	if (vm->gmem_pages >= 0 && of_series && attributes >= 0)
		vm->gmem_private_pages = attributes < vm->gmem_pages ? attributes : vm->gmem_pages;
}
