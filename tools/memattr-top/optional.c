// SPDX-License-Identifier: GPL-2.0
#include "optional.h"

#include <errno.h>

#include "figures.h"

static const enum metric metrics[] = { METRIC_ZAPS, METRIC_EXIT_NS, METRIC_USER_EXITS, METRIC_FAULTS, METRIC_AHEAD };

#define METRICS (sizeof(metrics) / sizeof(*metrics))

static struct bpf_program *program_of(const struct optional *o, enum metric metric, int i)
{
	const struct hook *hook = o->hooks->active[metric];

	return hook && hook->programs[i] ? bpf_object__find_program_by_name(o->object, hook->programs[i]) : NULL;
}

void optional_open(struct optional *o, struct hooks *hooks, const struct bpf_object *object)
{
	*o = (struct optional){ .hooks = hooks, .object = object };
	for (size_t m = 0; m < METRICS; m++)
		for (int i = 0; i < HOOK_PROGRAMS; i++)
			if (program_of(o, metrics[m], i))
				bpf_program__set_autoattach(program_of(o, metrics[m], i), false);
}

static void detach(struct bpf_link **links)
{
	/* In the opposite order: what ends an event must not outlive what begins it. */
	for (int i = HOOK_PROGRAMS - 1; i >= 0; i--) {
		bpf_link__destroy(links[i]);
		links[i] = NULL;
	}
}

static int attach(const struct optional *o, enum metric metric, struct bpf_link **links)
{
	for (int i = 0; i < HOOK_PROGRAMS && program_of(o, metric, i); i++) {
		if (links[i])
			continue;
		links[i] = bpf_program__attach(program_of(o, metric, i));
		if (!links[i])
			return -errno;
	}
	return 0;
}

void optional_want(struct optional *o, unsigned int measures)
{
	for (size_t m = 0; m < METRICS; m++) {
		struct bpf_link **links = o->links[metrics[m]];
		const struct hook *hook = o->hooks->active[metrics[m]];
		int err = 0;

		if (hook && hook->measures & measures)
			err = attach(o, metrics[m], links);
		if (!hook || err || !(hook->measures & measures))
			detach(links);
		/* It worked when it was probed. Now it is n/a, and the cause is shown. */
		if (err) {
			o->hooks->active[metrics[m]] = NULL;
			o->hooks->errors[metrics[m]] = err;
		}
	}
}

unsigned int optional_missing(const struct optional *o)
{
	unsigned int measures = 0;

	for (size_t m = 0; m < METRICS; m++)
		if (o->hooks->active[metrics[m]] && !o->links[metrics[m]][0])
			measures |= o->hooks->active[metrics[m]]->measures;
	return measures;
}

void optional_close(struct optional *o)
{
	for (int metric = 0; metric < METRICS_MAX; metric++)
		detach(o->links[metric]);
}
