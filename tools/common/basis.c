// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "basis.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *host_text(const struct snapshot *now)
{
	static const char *const texts[] = {
		[IN_PLACE_UNKNOWN] = "patched",
		[IN_PLACE_OFF] = "patched, in place off",
		[IN_PLACE_ON] = "patched, in place on",
	};

	if (now->host_kvm == KVM_UNKNOWN)
		return "KVM n/a";
	return now->host_kvm == KVM_STOCK ? "stock KVM" : texts[now->in_place];
}

/* The share of a CPU that the tool takes, in the kernel and by itself. Returns false while it is not known. */
static bool own_share(const struct snapshot *before, const struct snapshot *now, double *bpf, double *process)
{
	double ns;

	if (!before || now->time_ns <= before->time_ns || !now->cost.known)
		return false;
	ns = now->time_ns - before->time_ns;
	*bpf = 100 * (now->cost.ns - before->cost.ns) / ns;
	*process = 100 * (now->cost.process_ns - before->cost.process_ns) / ns;
	return true;
}

/* "tp_btf:kvm_exit" begins with the kind of the hook. */
static size_t kind_len(const struct snapshot_hook *hook)
{
	return strcspn(hook->hook, ":");
}

static bool same_kind(const struct snapshot_hook *a, const struct snapshot_hook *b)
{
	return kind_len(a) == kind_len(b) && !strncmp(a->hook, b->hook, kind_len(a));
}

/* Puts all metrics with this hook's kind behind its name, if none of them was before it. */
static void put_kind(struct flow *flow, const struct snapshot *now, unsigned int metrics, int first)
{
	const struct snapshot_hook *hook = &now->hooks[first];
	char text[HOOKS_MAX * (METRIC_NAME_LEN + 4) + HOOK_TEXT_LEN];
	bool missing = !strcmp(hook->hook, "n/a");
	int len = snprintf(text, sizeof(text), "%.*s", (int)kind_len(hook), hook->hook);

	for (int i = 0; i < now->hook_count; i++) {
		if (!(metrics & 1U << i) || !same_kind(&now->hooks[i], hook))
			continue;
		if (i < first)
			return;
		/* A note says that the figures are not quite what the heading says. */
		len += snprintf(text + len, sizeof(text) - len, " %s%s", now->hooks[i].metric,
				now->hooks[i].note[0] && !missing ? "(*)" : "");
	}
	flow_put(flow, missing ? colour(COLOUR_WARNING) : A_NORMAL, text);
}

struct flow basis_line(int y, const struct snapshot *before, const struct snapshot *now, unsigned int metrics)
{
	struct flow flow = { .y = y, .last = y };
	double bpf, process;
	char text[64];

	snprintf(text, sizeof(text), "lost %" PRIu64, now->lost_events);
	flow_put(&flow, now->lost_events ? colour(COLOUR_LOSS) : A_NORMAL, text);
	snprintf(text, sizeof(text), "own %s", now->cost.known ? "-" : "n/a");
	if (own_share(before, now, &bpf, &process))
		snprintf(text, sizeof(text), "own %.1f%%", bpf + process);
	flow_put(&flow, A_NORMAL, text);
	snprintf(text, sizeof(text), "late %u", now->late);
	flow_put(&flow, now->late ? colour(COLOUR_WARNING) : A_NORMAL, text);
	flow_put(&flow, A_NORMAL, host_text(now));
	/* First what is missing. */
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < now->hook_count; i++)
			if (metrics & 1U << i && pass == !!strcmp(now->hooks[i].hook, "n/a"))
				put_kind(&flow, now, metrics, i);
	return flow;
}

static int put_cost(int y, const struct snapshot *before, const struct snapshot *now)
{
	char text[128];
	double bpf, process;

	cost_text(before ? &before->cost : NULL, &now->cost, before ? now->time_ns - before->time_ns : 0, text,
		  sizeof(text));
	put(y++, 0, text);
	if (own_share(before, now, &bpf, &process)) {
		snprintf(text, sizeof(text), "the process itself: %.2f%% of a CPU", process);
		put(y++, 0, text);
	}
	return y;
}

int basis_page(int y, const struct snapshot *before, const struct snapshot *now)
{
	char text[2 * HOOK_TEXT_LEN + METRIC_NAME_LEN];

	put(y++, 0, "Figures come from:");
	for (int i = 0; i < now->hook_count; i++) {
		const struct snapshot_hook *hook = &now->hooks[i];

		snprintf(text, sizeof(text), "%-14s %s", hook->metric, hook->hook);
		put(y++, 0, text);
		if (!hook->note[0])
			continue;
		snprintf(text, sizeof(text), "%-14s (*) %s", "", hook->note);
		put(y++, 0, text);
	}
	snprintf(text, sizeof(text), "lost: %" PRIu64 " events that were not counted", now->lost_events);
	put(y++, 0, text);
	y = put_cost(y, before, now);
	snprintf(text, sizeof(text), "late: %u refreshes came after their time was over", now->late);
	put(y++, 0, text);
	snprintf(text, sizeof(text), "KVM: %s", host_text(now));
	put(y++, 0, text);
	return y;
}
