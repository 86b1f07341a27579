/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MEMATTR_TOP_VIEWS_H
#define MEMATTR_TOP_VIEWS_H

#include "args.h"
#include "clock.h"
#include "collect.h"
#include "rows.h"

struct view_options {
	struct rows_options rows;
	double delay_s;
	unsigned long count;	/* intervals until the end; 0: no end */
};

/* Both return the exit status, which is 0 after SIGINT and SIGTERM. */
int batch_run(struct collector *collector, const struct view_options *options);
int live_run(struct collector *collector, const struct view_options *options);

/* Says why there is nothing to show. */
void explain_empty(char *text, size_t size, const struct snapshot *now, pid_t pid);

#endif
