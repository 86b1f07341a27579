/* SPDX-License-Identifier: GPL-2.0 */
/* Latencies in userspace: the buckets of an H2 histogram that are in use, kept or added up. */
#ifndef MEMATTR_HISTOGRAM_H
#define MEMATTR_HISTOGRAM_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "h2.h"

/* As a snapshot keeps it: the buckets from @low up to @high, which is exclusive. It is all zeros without samples. */
struct histogram {
	uint32_t low, high;
	uint64_t *counts;
};

/* All return 0 or -ENOMEM. @buckets has H2_BUCKETS of them, or the first @count. */
int histogram_set(struct histogram *histogram, const __u64 *buckets);
int histogram_set_first(struct histogram *histogram, const __u64 *buckets, uint32_t count);
int histogram_copy(struct histogram *to, const struct histogram *from);
bool histogram_equal(const struct histogram *a, const struct histogram *b);
uint64_t histogram_count(const struct histogram *histogram, uint32_t bucket);

/* The sum of several histograms; all zeros at first. Only buckets from @low up to @high can have samples. */
struct latency {
	uint64_t count, ns;
	uint32_t low, high;
	__u64 buckets[H2_BUCKETS];
};

/* Adds what @now has counted since @then, which may be NULL. The caller adds up @ns. */
void latency_add(struct latency *latency, const struct histogram *now, const struct histogram *then);

/* As h2_percentile(). */
uint64_t latency_percentile(const struct latency *latency, double percent);

#endif
