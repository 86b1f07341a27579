/* SPDX-License-Identifier: GPL-2.0 */
/* BPF maps as a collector uses them. */
#ifndef MEMATTR_BPF_MAPS_H
#define MEMATTR_BPF_MAPS_H

#include <bpf/libbpf.h>
#include <stdint.h>

/*
 * Maps all entries of an array as memory shared with the kernel. Returns NULL and sets errno on
 * failure.
 */
void *map_shared(const struct bpf_map *map);
void unmap_shared(const struct bpf_map *map, void *mem);

/* Pushes @number onto a stack. Returns 0 or -errno. */
int push(const struct bpf_map *stack, uint32_t number);

/*
 * Fills the stack with numbers from 0 up, so that the low ones are popped first. Returns 0 or
 * -errno.
 */
int push_all(const struct bpf_map *stack);

/*
 * Reads the keys and values of a hash, up to @room of them. Returns how many, or -errno. What changes meanwhile may be
 * missing, or be there twice.
 */
int map_read_all(const struct bpf_map *map, void *keys, void *values, uint32_t room);

#endif
