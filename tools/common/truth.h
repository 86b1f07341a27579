/* SPDX-License-Identifier: GPL-2.0 */
/* What a snapshot's figures rest on: the events they are taken from, and what that costs. */
#ifndef MEMATTR_TRUTH_H
#define MEMATTR_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_object;

#define HOOK_TEXT_LEN 96
#define METRIC_NAME_LEN 16

struct snapshot_hook {
	char metric[METRIC_NAME_LEN];	/* "exits" */
	char hook[HOOK_TEXT_LEN];	/* "tp_btf:kvm_exit"; "n/a" */
	char note[HOOK_TEXT_LEN];	/* what to know about the figures; may be empty */
};

/* Since the start. */
struct snapshot_cost {
	bool known;
	uint64_t ns;	/* spent in our programs */
	uint64_t runs;
};

/*
 * Of all loaded programs of @object; @stats_fd is that of bpf_enable_stats(). Returns how many events the
 * kernel did not hand to them.
 */
uint64_t cost_read(struct snapshot_cost *cost, const struct bpf_object *object, int stats_fd);

/* For a screen. Without @before there is none yet. */
void cost_text(const struct snapshot_cost *before, const struct snapshot_cost *now,
	       int64_t interval_ns, char *text, size_t size);

/* Both to stderr, so that stdout is the table and nothing else. */
void hooks_print(const struct snapshot_hook *hooks, int count);
void cost_print(const struct snapshot_cost *cost);

#endif
