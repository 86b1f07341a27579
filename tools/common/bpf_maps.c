// SPDX-License-Identifier: GPL-2.0
#include "bpf_maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/mman.h>

static size_t map_size(const struct bpf_map *map)
{
	return (size_t)bpf_map__max_entries(map) * bpf_map__value_size(map);
}

void *map_shared(const struct bpf_map *map)
{
	void *mem = mmap(NULL, map_size(map), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return mem == MAP_FAILED ? NULL : mem;
}

void unmap_shared(const struct bpf_map *map, void *mem)
{
	if (mem)
		munmap(mem, map_size(map));
}

int push(const struct bpf_map *stack, uint32_t number)
{
	return bpf_map_update_elem(bpf_map__fd(stack), NULL, &number, BPF_ANY);
}

int push_all(const struct bpf_map *stack)
{
	int err = 0;

	for (uint32_t left = bpf_map__max_entries(stack); !err && left; left--)
		err = push(stack, left - 1);
	return err;
}

int map_read_all(const struct bpf_map *map, void *keys, void *values, uint32_t room)
{
	size_t key_size = bpf_map__key_size(map), value_size = bpf_map__value_size(map);
	uint64_t batch, *from = NULL;
	uint32_t count = 0;
	int err = 0;

	while (!err && count < room) {
		__u32 some = room - count;

		err = bpf_map_lookup_batch(bpf_map__fd(map), from, &batch, keys + count * key_size,
					   values + count * value_size, &some, NULL);
		if (!err || err == -ENOENT)
			count += some;
		from = &batch;
	}
	/* -ENOENT: that was all. -ENOSPC: others have come meanwhile. */
	return !err || err == -ENOENT || err == -ENOSPC ? (int)count : err;
}
