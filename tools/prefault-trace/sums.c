// SPDX-License-Identifier: GPL-2.0
#include "sums.h"

#include <stdlib.h>

void series_since(struct snapshot_series *difference, const struct snapshot *before,
		  const struct snapshot_series *now)
{
	const struct snapshot_series *then = NULL;

	*difference = *now;
	if (before && before->series_count)
		then = bsearch(now, before->series, before->series_count, sizeof(*now),
			       snapshot_compare_series);
	if (!then)
		return;
	difference->count -= then->count;
	difference->ns -= then->ns;
	difference->pages -= then->pages;
	difference->done_pages -= then->done_pages;
	for (int i = 0; i < H2_BUCKETS; i++)
		difference->latency[i] -= then->latency[i];
}

static void add_latency(struct latency *latency, const struct snapshot_series *series)
{
	latency->count += series->count;
	latency->ns += series->ns;
	for (int i = 0; i < H2_BUCKETS; i++)
		latency->buckets[i] += series->latency[i];
}

static void add_result(struct sums *sums, const struct snapshot_series *series)
{
	int32_t result = series->kind.result;

	if (result == RESULT_UNKNOWN)
		return;
	if (result < 0)
		sums->failed += series->count;
	else if (result == RESULT_FIXED)
		sums->fixed += series->count;
	else if (result == RESULT_SPURIOUS)
		sums->spurious += series->count;
	else if (result == RESULT_RETRY)
		sums->retried += series->count;
	else
		sums->other += series->count;
}

static void add_fault(struct sums *sums, const struct snapshot_series *series)
{
	sums->faults += series->count;
	if (series->kind.alias == ALIAS_PRIVATE)
		sums->private_faults += series->count;
	else if (series->kind.alias == ALIAS_SHARED)
		sums->shared_faults += series->count;
	if (series->kind.level >= 1 && series->kind.level <= 3)
		sums->levels[series->kind.level] += series->count;
	if (series->kind.prefaulted)
		sums->prefaulted += series->count;
	add_result(sums, series);
	add_latency(&sums->fault, series);
}

void sums_add(struct sums *sums, const struct snapshot_series *series)
{
	switch (series->kind.event) {
	case EVENT_FAULT:
		add_fault(sums, series);
		break;
	case EVENT_CALL:
		sums->calls += series->count;
		if (series->kind.result < 0)
			sums->failed_calls += series->count;
		sums->asked_pages += series->pages;
		sums->done_pages += series->done_pages;
		add_latency(&sums->call, series);
		break;
	case EVENT_MAP:
		sums->mapped_pages += series->pages;
		sums->new_pages += series->done_pages;
		break;
	case EVENT_WINDOW:
		sums->windows += series->count;
		sums->proposed_pages += series->pages;
		sums->granted_pages += series->done_pages;
		break;
	}
}
