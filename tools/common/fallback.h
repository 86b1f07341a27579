/* SPDX-License-Identifier: GPL-2.0 */
/* The hooks that a metric can come from: where the kernel lacks the best one, the next one is its fallback. */
#ifndef MEMATTR_FALLBACK_H
#define MEMATTR_FALLBACK_H

#include "diag.h"
#include "hook.h"
#include "provenance.h"

#define HOOK_PROGRAMS 2

struct hook {
	int metric;		/* enum metric of the tool */
	unsigned int measures;	/* enum measure of the tool */
	struct hook_site site;
	struct hook_site also;	/* what else the programs attach to; without a target: nothing */
	const char *needs;	/* a function without which there is nothing to measure; may be NULL */
	int (*trial)(void);	/* makes KVM call the functions, which the compiler may have inlined; or NULL */
	const char *programs[HOOK_PROGRAMS];	/* in the tool's .bpf.c */
	const char *note;
};

struct fallback {
	const struct hook *hooks;	/* for each metric, the best comes first */
	size_t count;
	const char * const *metrics;	/* their names */
	int vital;	/* if no hook works, the errors of metrics 0 to vital - 1 are reported */
};

/* No tool has more metrics. */
#define METRICS_MAX 16

struct hooks {
	const struct hook *active[METRICS_MAX];	/* NULL: no hook of the metric works */
	int errors[METRICS_MAX];	/* why the hook that was tried last does not work: -errno */
	bool sure[METRICS_MAX];		/* KVM calls the active hook: its 0 means that nothing happened */
	uint64_t missed[METRICS_MAX];	/* calls that the kernel kept from the active hook */
};

/*
 * Tries the hooks by attaching an empty program. Returns 0, or -errno if none works; @why then says
 * why.
 */
int fallback_probe(const struct fallback *fallback, struct hooks *hooks, struct diag *why);

/*
 * Turns autoload on for the programs of the active hooks, and off for all others. Returns 0 or
 * -errno.
 */
int fallback_select(const struct fallback *fallback, const struct hooks *hooks, struct bpf_object *object);

/* The programs could not be loaded, for @err: from now on no hook is active. */
void fallback_give_up(const struct fallback *fallback, struct hooks *hooks, int err);

/*
 * Looks which programs have run by now, and which calls the kernel has kept from them because the
 * CPU was in the same program already. For each snapshot, before the other functions are called.
 */
void fallback_look(const struct fallback *fallback, struct hooks *hooks, const struct bpf_object *object);

/* Returns whether the metric's hook is sure to have told everything that happened. */
bool fallback_tells_all(const struct hooks *hooks, int metric);

/* Returns whether all active hooks are known to be called: then nobody has to count their runs. */
bool fallback_is_sure(const struct hooks *hooks);

void fallback_describe(const struct fallback *fallback, const struct hooks *hooks, int metric,
		     struct snapshot_hook *text);

/* Returns the measures whose hooks are sure: all others are not available. */
unsigned int fallback_measures(const struct hooks *hooks);

#endif
