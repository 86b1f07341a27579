/* SPDX-License-Identifier: GPL-2.0 */
/* BPF maps as a collector uses them. */
#ifndef MEMATTR_BPF_MAPS_H
#define MEMATTR_BPF_MAPS_H

#include <bpf/libbpf.h>
#include <stdint.h>

/* All entries of an array, as memory shared with the kernel. NULL: errno says why. */
void *map_shared(const struct bpf_map *map);
void unmap_shared(const struct bpf_map *map, void *mem);

/* Onto a stack. 0 or -errno. */
int push(const struct bpf_map *stack, uint32_t number);

/* As many numbers as there is room for; the low ones come out first. 0 or -errno. */
int push_all(const struct bpf_map *stack);

#endif
