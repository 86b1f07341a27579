// SPDX-License-Identifier: GPL-2.0
#include "histogram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int histogram_set_first(struct histogram *histogram, const __u64 *buckets, uint32_t count)
{
	uint32_t low = 0, high = count;

	*histogram = (struct histogram){};
	while (low < high && !buckets[low])
		low++;
	while (high > low && !buckets[high - 1])
		high--;
	if (low == high)
		return 0;
	histogram->counts = malloc((high - low) * sizeof(*histogram->counts));
	if (!histogram->counts)
		return -ENOMEM;
	histogram->low = low;
	histogram->high = high;
	for (uint32_t bucket = low; bucket < high; bucket++)
		histogram->counts[bucket - low] = buckets[bucket];
	return 0;
}

int histogram_set(struct histogram *histogram, const __u64 *buckets)
{
	return histogram_set_first(histogram, buckets, H2_BUCKETS);
}

int histogram_copy(struct histogram *to, const struct histogram *from)
{
	size_t size = (from->high - from->low) * sizeof(*from->counts);

	*to = *from;
	if (!size)
		return 0;
	to->counts = malloc(size);
	if (!to->counts) {
		*to = (struct histogram){};
		return -ENOMEM;
	}
	memcpy(to->counts, from->counts, size);
	return 0;
}

bool histogram_equal(const struct histogram *a, const struct histogram *b)
{
	return a->low == b->low && a->high == b->high &&
	       (a->low == a->high || !memcmp(a->counts, b->counts, (a->high - a->low) * sizeof(*a->counts)));
}

uint64_t histogram_count(const struct histogram *histogram, uint32_t bucket)
{
	return bucket >= histogram->low && bucket < histogram->high ?
	       histogram->counts[bucket - histogram->low] : 0;
}

void latency_add(struct latency *latency, const struct histogram *now, const struct histogram *then)
{
	if (now->low == now->high)
		return;
	if (latency->low == latency->high) {
		latency->low = now->low;
		latency->high = now->high;
	}
	if (now->low < latency->low)
		latency->low = now->low;
	if (now->high > latency->high)
		latency->high = now->high;
	for (uint32_t bucket = now->low; bucket < now->high; bucket++) {
		uint64_t count = histogram_count(now, bucket);

		if (then)
			count -= histogram_count(then, bucket);
		latency->buckets[bucket] += count;
		latency->count += count;
	}
}

uint64_t latency_percentile(const struct latency *latency, double percent)
{
	uint64_t seen = 0;

	for (uint32_t bucket = latency->low; bucket < latency->high; bucket++) {
		seen += latency->buckets[bucket];
		if (seen && seen * 100.0 >= latency->count * percent)
			return h2_middle(bucket);
	}
	return 0;
}
