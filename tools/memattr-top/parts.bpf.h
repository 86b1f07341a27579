/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of a VM's counts: by vCPU, by reason of an exit, and so on. Each has a series, which is found by a hash, and
 * most often without one: each CPU remembers those that it has used.
 */
#ifndef MEMATTR_TOP_PARTS_BPF_H
#define MEMATTR_TOP_PARTS_BPF_H

#include "slots.bpf.h"

/* The collector sets the number of entries of these three. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct top_series);
} series SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct top_series_key);
	__type(value, __u32);
} series_ids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 1);
	__type(value, __u32);
} free_series SEC(".maps");

#define NO_SERIES (~0U)

static __u32 find_series(struct top_series_key *key)
{
	__u32 *id = bpf_map_lookup_elem(&series_ids, key);

	return id ? *id : NO_SERIES;
}

static __u32 add_series(struct top_series_key *key)
{
	struct top_series *s;
	__u32 id;

	if (bpf_map_pop_elem(&free_series, &id))
		return NO_SERIES;
	s = bpf_map_lookup_elem(&series, &id);
	if (!s)
		return NO_SERIES;
	s->key = *key;
	if (bpf_map_update_elem(&series_ids, key, &id, BPF_NOEXIST)) {
		/* Another CPU has just had the same. */
		bpf_map_push_elem(&free_series, &id, 0);
		return find_series(key);
	}
	s->used = 1;
	return id;
}

static __noinline __u32 series_of(struct top_series_key *key)
{
	__u32 id;

	if (!key)
		return NO_SERIES;
	id = find_series(key);
	return id == NO_SERIES ? add_series(key) : id;
}

/* As slot_here(): only for programs that nothing interrupts which comes here as well. */
static __always_inline __u32 series_here(struct top_cpu *cpu, __u32 slot, __u32 kind, __s64 part)
{
	struct top_series_key key = { .slot = slot, .kind = kind, .part = part };
	/* Knuth's multiplier: the reasons of exits that are frequent are multiples of 16. */
	__u32 hash = (slot + (kind << 16) + (__u32)part) * 2654435761U;
	struct top_cached *cached = &cpu->cached[hash >> (32 - SERIES_CACHE_BITS)];
	__u32 now = epoch;

	if (cached->key.part != part || *(__u64 *)&cached->key != *(__u64 *)&key || cached->epoch != now) {
		cached->id = series_of(&key);
		cached->key = key;
		cached->epoch = now;
	}
	if (cached->id == NO_SERIES) {
		cpu->lost++;
		/* One may have become free by the next event. */
		cached->epoch = 0;
	}
	return cached->id;
}

static __always_inline struct top_series *series_at(__u32 id)
{
	return bpf_map_lookup_elem(&series, &id);
}

static __always_inline void add_time(struct top_series *s, __u64 ns, __u32 bucket)
{
	add(&s->ns, ns);
	add(&s->latency[bucket % TOP_BUCKETS], 1);
}

#endif
