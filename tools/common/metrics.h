/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A snapshot as metrics that Prometheus reads. There are two formats, which want different names for one family
 * and refuse each other's: the text format 0.0.4, which is also what node_exporter's textfile collector reads, and
 * OpenMetrics 1.0.0. All values are integers until they are printed, so that there is no NaN.
 */
#ifndef MEMATTR_METRICS_H
#define MEMATTR_METRICS_H

#include <stdio.h>

#include "histogram.h"
#include "snapshot.h"

/* A family's list, if its only sample is of the whole snapshot. */
#define OF_SNAPSHOT (-1)

/* The upper bounds of a histogram's buckets are 2^10 - 1, 2^12 - 1, ... 2^32 - 1 ns, from 1 us to 4.3 s, and +Inf. */
#define METRICS_BOUNDS 12
uint64_t metrics_bound_ns(int bound);

struct labels;

/* One line of a tool's metrics.c. Lines of one name stand together, and differ in @label_value. */
struct family {
	const char *name;	/* without the ending that the type adds: _total, _info */
	enum {
		FAMILY_COUNTER,
		FAMILY_GAUGE,
		FAMILY_INFO,		/* 1, with labels that tell what there is */
		FAMILY_HISTOGRAM,	/* of ns */
	} type;
	enum {
		IN_NUMBERS,
		IN_BYTES,	/* the name ends in _bytes; the value is in pages */
		IN_SECONDS,	/* the name ends in _seconds; the value is in ns */
	} unit;
	const char *help;
	int list;		/* of the snapshot: a sample for each item */
	unsigned int needs;	/* enum measure of the tool: without one of them there is no sample */
	const char *label, *label_value;	/* a label that each sample has; NULL: none */

	/*
	 * In the item, or in the snapshot: uint64_t; of a histogram, struct histogram and the uint64_t with the sum
	 * of its samples.
	 */
	size_t at, sum_at;
	/* Instead of @at. Returns false if there is no such value. */
	bool (*value)(const struct snapshot *s, const void *item, uint64_t *value);
	/* Adds labels of the item. */
	void (*labels)(struct labels *labels, const struct snapshot *s, const void *item);
};

/* Everything that a tool exports. */
struct metrics {
	const struct family *families;
	int count;
	pid_t pid;		/* only of the VMs of this process; 0: of all VMs */
	bool parts;		/* also families of other lists than that of VMs */
};

/* Returns bits of the tool's enum measure: these have to be collected. */
unsigned int metrics_needs(const struct metrics *metrics);

/* Adds a label. The text can be anything: what is not valid UTF-8 and what controls terminals becomes "?". */
void label_add(struct labels *labels, const char *name, const char *text);
void label_add_number(struct labels *labels, const char *name, long long number);

struct metrics_format {
	const char *content_type;
	const char *last_line;
	void (*describe)(FILE *out, const struct family *family);
};

extern const struct metrics_format metrics_text, metrics_openmetrics;

/*
 * Writes all samples of a snapshot. Each VM has the labels vm, which is KVM's number of it, and name. Where KVM
 * numbers no VMs, vm is the name of its folder in debugfs.
 * Returns 0 or -ENOMEM; the caller looks for errors of @out.
 */
int metrics_write(FILE *out, const struct metrics_format *format, const struct metrics *metrics,
		  const struct snapshot *s);

/* Chooses the format that the reader likes best, by what the header Accept says; NULL: it has none. */
const struct metrics_format *metrics_format_for(const char *accept);

#endif
