/* SPDX-License-Identifier: GPL-2.0 */
/* Where snapshots come from, which is the kernel or a record, and where they are recorded. */
#ifndef PREFAULT_TRACE_SOURCE_H
#define PREFAULT_TRACE_SOURCE_H

#include <stdio.h>

#include "collect.h"

struct source {
	struct collector *collector;	/* NULL: from the record */
	FILE *replay;
	const char *replay_name;
	FILE *record;
	const char *record_name;
};

/*
 * Returns the next snapshot. Returns NULL on failure, and @why says why; or, with @why empty, at
 * the end.
 */
struct snapshot *source_next(struct source *source, struct diag *why);

#endif
