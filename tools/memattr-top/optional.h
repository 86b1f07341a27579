/* SPDX-License-Identifier: GPL-2.0 */
/* Programs that are attached only while somebody wants what they measure. */
#ifndef MEMATTR_TOP_OPTIONAL_H
#define MEMATTR_TOP_OPTIONAL_H

#include <bpf/libbpf.h>

#include "fallback.h"

struct optional {
	struct hooks *hooks;
	const struct bpf_object *object;
	struct bpf_link *links[METRICS_MAX][HOOK_PROGRAMS];
};

/* Keeps libbpf from attaching the programs of these metrics. Call this before the object is attached. */
void optional_open(struct optional *optional, struct hooks *hooks, const struct bpf_object *object);
/* Attaches the active hooks that have any of these measures, and detaches all others. */
void optional_want(struct optional *optional, unsigned int measures);
/* Returns the measures of active hooks that are not attached. */
unsigned int optional_missing(const struct optional *optional);
void optional_close(struct optional *optional);

#endif
