/* SPDX-License-Identifier: GPL-2.0 */
/*
 * H2 histogram: every power of two is divided into H2_SUB equal buckets, and each value below 2 * H2_SUB
 * has a bucket of its own. A bucket stands for its middle, so a value read back is off by at most
 * 1 / (2 * H2_SUB), which is 6.25 %. Buckets of two histograms can be added and subtracted; percentiles
 * cannot. Shared by BPF and C: includes nothing, and expects __u32 and __u64.
 */
#ifndef MEMATTR_H2_H
#define MEMATTR_H2_H

#define H2_SUB_BITS	3
#define H2_SUB		(1 << H2_SUB_BITS)
/* The buckets cover all 64 bits: no value needs clamping, and 4 KiB per VM do not matter. */
#define H2_BUCKETS	((64 - H2_SUB_BITS + 1) * H2_SUB)

/* Not __builtin_clzll(): BPF has no instruction for it before -mcpu=v4. */
static inline __u32 h2_log2(__u64 value)
{
	__u32 log2 = 0;

	for (__u32 step = 32; step; step /= 2) {
		if (value >> step) {
			value >>= step;
			log2 += step;
			/* This keeps clang for BPF from computing both cases, which takes twice as many instructions. */
			asm volatile("" : "+r"(value), "+r"(log2));
		}
	}
	return log2;
}

static inline __u32 h2_bucket(__u64 value)
{
	__u32 shift;

	if (value < 2 * H2_SUB)
		return value;
	shift = h2_log2(value) - H2_SUB_BITS;
	return shift * H2_SUB + (value >> shift);
}

#ifndef __bpf__
static inline __u64 h2_middle(__u32 bucket)
{
	__u32 shift;

	if (bucket < 2 * H2_SUB)
		return bucket;
	shift = bucket / H2_SUB - 1;
	return ((__u64)(bucket % H2_SUB + H2_SUB) << shift) + (1ULL << shift) / 2;
}

/*
 * Returns the value at or below which @percent of the samples lie (nearest rank), or 0 without
 * samples.
 */
static inline __u64 h2_percentile(const __u64 *counts, double percent)
{
	__u64 total = 0, seen = 0;
	__u32 bucket;

	for (bucket = 0; bucket < H2_BUCKETS; bucket++)
		total += counts[bucket];
	for (bucket = 0; bucket < H2_BUCKETS; bucket++) {
		seen += counts[bucket];
		if (seen && seen * 100.0 >= total * percent)
			return h2_middle(bucket);
	}
	return 0;
}
#endif

#endif
