/* SPDX-License-Identifier: GPL-2.0 */
/* Of the hooks that a metric can be taken from, the best that this kernel has. */
#ifndef MEMATTR_LADDER_H
#define MEMATTR_LADDER_H

#include "diag.h"
#include "hook.h"
#include "truth.h"

#define HOOK_PROGRAMS 2

struct hook {
	int metric;		/* enum metric of the tool */
	unsigned int measures;	/* and its enum measure */
	struct hook_site site;
	bool both_ends;		/* of a function: where it begins, too */
	const char *needs;	/* a function without which there is nothing to measure */
	const char *programs[HOOK_PROGRAMS];	/* in the tool's .bpf.c */
	const char *note;
};

struct ladder {
	const struct hook *hooks;	/* of each metric the best first */
	size_t count;
	const char * const *metrics;	/* their names */
	int vital;	/* if none of the first so many metrics has a hook, each is told why */
};

/* No tool has more. */
#define METRICS_MAX 8

struct hooks {
	const struct hook *active[METRICS_MAX];	/* NULL: none of them works */
	int errors[METRICS_MAX];	/* why not, of the last one tried: -errno */
};

/* Tries the hooks by attaching an empty program. 0; else @why says what is in the way of all of them. */
int ladder_probe(const struct ladder *ladder, struct hooks *hooks, struct diag *why);

/* Autoload for the programs of the active hooks, and for no other. 0 or -errno. */
int ladder_select(const struct ladder *ladder, const struct hooks *hooks, struct bpf_object *object);

void ladder_describe(const struct ladder *ladder, const struct hooks *hooks, int metric,
		     struct snapshot_hook *text);
unsigned int ladder_measures(const struct hooks *hooks);

#endif
