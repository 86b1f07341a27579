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

static __noinline __u32 series_of_tag(__u64 tag)
{
	struct top_series_key key = {
		.slot = SLOT_OF_TAG(tag), .kind = KIND_OF_TAG(tag), .part = PART_OF_TAG(tag),
	};

	return series_of(&key);
}

/* As this_cpu(): only for programs that nothing interrupts which comes here as well. */
static __always_inline __u32 series_here(struct top_cpu *cpu, __u32 slot, __u32 kind, __s64 part)
{
	__u64 tag = TAG_OF(slot, kind, part);
	/* The golden ratio: the reasons of exits that are frequent are multiples of 16. */
	struct top_cached *cached = &cpu->cached[tag * 0x9e3779b97f4a7c15ULL >> (64 - SERIES_CACHE_BITS)];

	if (cached->tag != tag) {
		cached->id = series_of_tag(tag);
		/* Without a series: one may have become free by the next event. */
		cached->tag = cached->id == NO_SERIES ? 0 : tag;
		cpu->lost += cached->id == NO_SERIES;
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
