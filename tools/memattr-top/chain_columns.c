// SPDX-License-Identifier: GPL-2.0
/* The view of chains: a row for each link of each VM, and below them the ranges that cost most. */
#include "chain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "format.h"
#include "rows.h"
#include "screen.h"

/* The links in their order; the parts of a VM are these. */
static const struct link {
	const char *word;
	size_t count_at, ns_at;	/* in struct chain_links */
	unsigned int needs;
	bool costs;		/* its time is part of what the conversion costs */
} links[] = {
#define LINK(word, count, ns, needs, costs) \
	{ word, offsetof(struct chain_links, count), offsetof(struct chain_links, ns), needs, costs }
	LINK("exit", exits, exit_ns, MEASURE_CHAIN_EXITS, true),
	LINK("convert", conversions, convert_ns, MEASURE_CHAINS, true),
	LINK("zap", zaps, zap_ns, MEASURE_CHAINS, true),
	LINK("wait", refaults, wait_ns, MEASURE_CHAIN_FAULTS, false),
	LINK("fault", refaults, refault_ns, MEASURE_CHAIN_FAULTS, true),
#undef LINK
};

#define LINK_COUNT ((long)(sizeof(links) / sizeof(*links)))

long chain_next_link(const struct snapshot *s, const struct snapshot_vm *vm, long part)
{
	(void)s;
	(void)vm;
	return part + 1 < LINK_COUNT ? part + 1 : ALL_PARTS;
}

static const struct chain_item *item_of(const struct snapshot *s, uint64_t birth)
{
	const struct chain_item key = { .birth = birth };

	if (!s || !birth || !s->lists[LIST_CHAINS].count)
		return NULL;
	return bsearch(&key, s->lists[LIST_CHAINS].items, s->lists[LIST_CHAINS].count, sizeof(key),
		       chain_compare_items);
}

/* What has been added since the snapshot before. Whatever was not there had counted nothing. */
static struct chain_links links_of(const struct pair *pair, const struct snapshot_vm *vm)
{
	const struct chain_item *now = item_of(pair->now, vm->birth), *then = item_of(pair->before, vm->birth);
	struct chain_links sum = {};
	__u64 *numbers = (__u64 *)&sum;

	if (now)
		sum = now->links;
	for (size_t i = 0; now && then && i < sizeof(sum) / sizeof(*numbers); i++)
		numbers[i] -= ((const __u64 *)&then->links)[i];
	return sum;
}

static uint64_t number_at(const struct chain_links *sum, size_t at)
{
	return *(const __u64 *)((const char *)sum + at);
}

void fill_chain_figures(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long part)
{
	const struct cell none = { .kind = CELL_NO_SAMPLE };
	struct chain_links sum = links_of(pair, vm);
	const struct link *link = &links[part];
	uint64_t count = number_at(&sum, link->count_at), ns = number_at(&sum, link->ns_at);
	uint64_t cost_ns = chain_cost_ns(&sum);
	struct chain_figures *f = figures;

	*f = (struct chain_figures){ none, none, none, none };
	if (!(pair->now->measured & link->needs)) {
		f->count.kind = f->total.kind = f->mean.kind = f->share.kind = CELL_NOT_MEASURED;
		return;
	}
	if (pair->seconds <= 0)
		return;
	f->count = (struct cell){ CELL_NUMBER, count / pair->seconds };
	if (count)
		f->mean = (struct cell){ CELL_NUMBER, (double)ns / count };
	if (link->costs)
		f->total = (struct cell){ CELL_NUMBER, ns / pair->seconds };
	if (link->costs && cost_ns)
		f->share = (struct cell){ CELL_NUMBER, 100.0 * ns / cost_ns };
}

static const char *link_text(const struct row *row)
{
	return links[row->part].word;
}

#define OF_LINK(member, is)	CELL(chain_figures, member, is), .needs = MEASURE_CHAINS

const struct column chain_columns[] = {
	COLUMN_PID,
	COLUMN_NAME(16),
	{ "link", "LINK", UNIT_TEXT, .from = FROM_TEXT, .text = link_text, .width = 7,
	  .help = "of the chain: exit (until the ioctl), convert, zap, wait (until the fault), fault" },
	{ "link_count", "COUNT", OF_LINK(count, UNIT_COUNT),
	  .help = "conversions that went through it; of the last two, those that a fault followed" },
	{ "link_time", "TIME", OF_LINK(total, UNIT_NS), .help = "spent in it, in each second" },
	{ "link_mean", "MEAN", OF_LINK(mean, UNIT_NS), .help = "for each conversion" },
	{ "link_share", "SHARE", OF_LINK(share, UNIT_PERCENT), .help = "in percent of what the VM's chains cost; to wait costs nothing" },
};

/* --- the ranges that cost most --- */

static int compare_costs(const void *a, const void *b)
{
	uint64_t left = chain_cost_ns(&(*(const struct chain_worst *const *)a)->links);
	uint64_t right = chain_cost_ns(&(*(const struct chain_worst *const *)b)->links);

	return (left < right) - (left > right);
}

/* Picks those of the VM, or of all for NULL, from the highest cost down. The caller frees them; NULL: no memory. */
static const struct chain_worst **pick(const struct snapshot *now, const struct args *args,
				       const struct snapshot_vm *only, size_t *count)
{
	const struct list *list = &now->lists[LIST_CHAIN_WORSTS];
	const struct chain_worst **picked = calloc(list->count + 1, sizeof(*picked));

	*count = 0;
	for (size_t i = 0; picked && i < list->count; i++) {
		const struct chain_worst *worst = snapshot_item(now, LIST_CHAIN_WORSTS, i);

		const struct snapshot_vm *vm = snapshot_vm(now, worst->birth);

		if (vm && vm_is_of(vm, args->pid) && (!only || only->birth == worst->birth))
			picked[(*count)++] = worst;
	}
	if (picked)
		qsort(picked, *count, sizeof(*picked), compare_costs);
	*count = *count < CHAIN_WORST_MAX ? *count : CHAIN_WORST_MAX;
	return picked;
}

static void draw_worst(int y, const struct snapshot *now, const struct chain_worst *worst)
{
	const struct snapshot_vm *vm = snapshot_vm(now, worst->birth);
	const struct chain_links *sum = &worst->links;
	const uint64_t times_ns[] = {
		chain_cost_ns(sum), sum->exit_ns, sum->convert_ns, sum->zap_ns, sum->refault_ns,
	};
	char text[160], part[16];
	int len;

	len = snprintf(text, sizeof(text), "%7d  0x%-13" PRIx64 " %8" PRIu64 " %7llu", vm->pid,
		       worst->gfn_start << 12, worst->gfn_end - worst->gfn_start, sum->conversions);
	for (size_t i = 0; i < sizeof(times_ns) / sizeof(*times_ns); i++) {
		format_ns(part, sizeof(part), times_ns[i]);
		len += snprintf(text + len, sizeof(text) - len, " %6s", part);
	}
	put(y, 0, text);
}

/* Conversions after which so many others came that nobody waits for a fault any more. */
static uint64_t forgotten(const struct snapshot *now, const struct snapshot_vm *only)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < now->lists[LIST_CHAINS].count; i++) {
		const struct chain_item *item = snapshot_item(now, LIST_CHAINS, i);

		if (!only || only->birth == item->birth)
			sum += item->forgotten;
	}
	return sum;
}

int chain_draw_below(int y, int end, const struct snapshot *now, const struct args *args,
		     const struct snapshot_vm *only)
{
	size_t count;
	const struct chain_worst **worst = pick(now, args, only, &count);
	uint64_t left = forgotten(now, only);
	char text[128];

	if (!worst || !count || y + 2 >= end) {
		free(worst);
		return y;
	}
	attron(A_BOLD);
	snprintf(text, sizeof(text), "Ranges that have cost most; forgotten before a fault: %" PRIu64, left);
	put(y++, 0, left ? text : "Ranges that have cost most since somebody began to look");
	attroff(A_BOLD);
	put(y++, 0, "    PID  ADDRESS            PAGES   CONVS   COST   EXIT   CONV    ZAP  FAULT");
	for (size_t i = 0; i < count && y < end; i++)
		draw_worst(y++, now, worst[i]);
	free(worst);
	return y;
}

static void json_worst(struct json *json, const struct snapshot *now, const struct chain_worst *worst)
{
	const struct snapshot_vm *vm = snapshot_vm(now, worst->birth);

	json_object(json, NULL);
	json_s64(json, "pid", vm->pid);
	json_u64(json, "gpa_start", worst->gfn_start << 12);
	json_u64(json, "gpa_end", worst->gfn_end << 12);
	json_u64(json, "conversions", worst->links.conversions);
	json_u64(json, "faults", worst->links.refaults);
	json_u64(json, "exit_ns", worst->links.exit_ns);
	json_u64(json, "convert_ns", worst->links.convert_ns);
	json_u64(json, "zap_ns", worst->links.zap_ns);
	json_u64(json, "fault_ns", worst->links.refault_ns);
	json_object_end(json);
}

void chain_json_end(struct json *json, const struct snapshot *now, const struct args *args)
{
	size_t count;
	const struct chain_worst **worst = pick(now, args, NULL, &count);

	json_array(json, "worst_ranges");
	for (size_t i = 0; worst && i < count; i++)
		json_worst(json, now, worst[i]);
	json_array_end(json);
	free(worst);
}
