/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MEMATTR_TOP_VIEWS_H
#define MEMATTR_TOP_VIEWS_H

#include "collect.h"
#include "rows.h"

/* Below it a screen cannot be read, and drawing it costs more than counting. An hour is a long time to wait. */
#define DELAY_MIN_S 0.1
#define DELAY_MAX_S 3600.0

/* As those of memattr-policy. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_SYSTEM = 3,	/* the kernel or the rights do not suffice */
	EXIT_NO_VM = 4,		/* there is no such process */
};

struct view_options {
	struct rows_options rows;
	double delay_s;
	unsigned long count;	/* snapshots until the end; 0: none */
};

/* Both return the exit status, 0 after SIGINT and SIGTERM. */
int batch_run(struct collector *collector, const struct view_options *options);
int live_run(struct collector *collector, const struct view_options *options);

/* Why there is nothing to show. */
void explain_empty(char *text, size_t size, const struct snapshot *now, pid_t pid);

uint64_t monotonic_ns(void);

#endif
