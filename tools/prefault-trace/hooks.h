/* SPDX-License-Identifier: GPL-2.0 */
/* Which event of this kernel each metric is taken from. */
#ifndef PREFAULT_TRACE_HOOKS_H
#define PREFAULT_TRACE_HOOKS_H

#include "hook.h"
#include "snapshot.h"

struct bpf_object;

#define HOOK_PROGRAMS 2

struct hook {
	enum metric metric;
	unsigned int measures;	/* enum measure */
	struct hook_site site;
	bool both_ends;		/* of a function: where it begins, too */
	const char *needs;	/* a function without which there is nothing to measure */
	const char *programs[HOOK_PROGRAMS];	/* in prefault-trace.bpf.c */
	const char *note;
};

struct hooks {
	const struct hook *active[METRIC_COUNT];	/* NULL: none of them works */
	int errors[METRIC_COUNT];	/* why not, of the last one tried: -errno */
	bool has_batches;	/* the kernel maps many pages at a time */
};

/*
 * Tries each metric's hooks on this kernel, best first, by attaching an empty program. 0, or -errno if
 * the types of the kernel cannot be read.
 */
int hooks_probe(struct hooks *hooks);

/* Autoload for the programs of the active hooks, and for no other. */
int hooks_select(const struct hooks *hooks, struct bpf_object *object);

void hooks_describe(const struct hooks *hooks, enum metric metric, struct snapshot_hook *text);
unsigned int hooks_measures(const struct hooks *hooks);

#endif
