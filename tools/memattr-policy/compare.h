/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compare: what a load does to KVM under several policies. compare.c: the command. compare_run.c: one run of the
 * load. compare_guard.c: gives the VM its own policy back. compare_report.c, compare_svg.c: what came out.
 */
#ifndef MEMATTR_COMPARE_H
#define MEMATTR_COMPARE_H

#include "command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum figure_id {
	FIGURE_EXITS,
	FIGURE_FAULTS,
	FIGURE_CONVERSIONS,
	FIGURE_REFUSED,
	FIGURE_ZAPPED,
	FIGURE_AHEAD,
	FIGURE_HUGE,
	FIGURE_MEMORY,
	FIGURE_TIME,
	FIGURE_INSTRUCTIONS,
	FIGURES
};

struct figure {
	const char *key;	/* in JSON */
	const char *title;
	double unit;		/* of the title, in units of the key */
	int digits;
};

extern const struct figure figures[FIGURES];

/* What one run has cost. */
struct sample {
	double value[FIGURES];
	bool known[FIGURES];
};

/* Something to attach, as it stands on the command line. */
struct contender {
	const char *text;
	char *words;		/* the same, cut up for @options */
	struct options options;	/* as for load; without a file: nothing is to be attached */
	bool none;		/* no policy may be there */
	struct sample *samples;	/* by run */
};

struct comparison {
	const struct options *options;
	struct contender *contenders;
	size_t count;
	int signals;		/* a signalfd */
};

/* A figure over all runs of a contender. */
struct spread {
	bool known;
	double median, min, max;
	int differs;		/* from the first contender, beyond both spreads: -1 less, 1 more */
};

void spread_read(const struct comparison *c, size_t contender, enum figure_id figure, struct spread *spread);
/* A value in the title's unit. Returns @text. */
char *figure_text(enum figure_id figure, double value, char *text, size_t size);

/* The policy that a VM had before. */
struct guard;

/*
 * Watches over the VM's own policy: when this process ends, in whichever way, that policy is put into its link
 * again. Both return EXIT_OK, or report the error.
 */
int guard_start(struct guard **started, const struct vm *vm, uint32_t link_id);
/* Puts the policy into force again, while this process goes on. */
int guard_restore(struct guard *guard);
/* Puts another one into force. Returns 0 or -errno. */
int guard_replace(struct guard *guard, int map_fd);
/* The last restoring. NULL is all right. */
int guard_end(struct guard *guard);

/* One run of the load under @contender. Returns EXIT_OK, or reports the error. */
int run_guest(const struct comparison *c, const struct contender *contender, struct sample *sample);
int run_vm(const struct comparison *c, const struct contender *contender, const struct vm *vm, struct guard *guard,
	   struct sample *sample);

void compare_print(const struct comparison *c);
void compare_print_json(const struct comparison *c);
/* Returns EXIT_OK, or reports the error. */
int compare_write_svg(const struct comparison *c, const char *path);

#endif
