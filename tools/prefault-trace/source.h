/* SPDX-License-Identifier: GPL-2.0 */
/* Where snapshots come from, the kernel or a record, and the copy of them that is recorded. */
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

/* The next snapshot. NULL with @why empty: the record has ended. NULL otherwise: @why says why. */
struct snapshot *source_next(struct source *source, struct diag *why);

#endif
