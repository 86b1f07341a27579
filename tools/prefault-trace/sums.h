/* SPDX-License-Identifier: GPL-2.0 */
/* Adds up the series of a vCPU or a whole VM, since the start or since another snapshot. */
#ifndef PREFAULT_TRACE_SUMS_H
#define PREFAULT_TRACE_SUMS_H

#include "snapshot.h"

struct latency {
	uint64_t count, ns;
	__u64 buckets[H2_BUCKETS];
};

struct sums {
	uint64_t faults;
	uint64_t private_faults, shared_faults;
	uint64_t levels[4];	/* faults that found or made a mapping, by its level; [0] is not used */
	uint64_t fixed, spurious, retried;
	uint64_t prefaulted;	/* of pages that had been mapped ahead */
	uint64_t other;		/* emulated, write-protected and rare ones */
	uint64_t failed;
	struct latency fault;

	uint64_t calls;
	uint64_t failed_calls;
	uint64_t asked_pages, done_pages;
	struct latency call;

	uint64_t mapped_pages;	/* mapped ahead by anybody, including pages that were mapped already */
	uint64_t new_pages;

	uint64_t windows;	/* that policies proposed */
	uint64_t proposed_pages, granted_pages;
};

/*
 * Computes what @now has counted since @before; since the start if @before is NULL or lacks the
 * series.
 */
void series_since(struct snapshot_series *difference, const struct snapshot *before,
		  const struct snapshot_series *now);

void sums_add(struct sums *sums, const struct snapshot_series *series);

#endif
