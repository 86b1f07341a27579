// SPDX-License-Identifier: GPL-2.0
/* Adds up the series of a vCPU or a whole VM, since the start or since another snapshot. */
#include "figures.h"

#include <stdlib.h>
#include <string.h>

static int compare_series(const void *a, const void *b)
{
	const struct series *left = a, *right = b;

	if (left->birth != right->birth)
		return left->birth < right->birth ? -1 : 1;
	if (left->vcpu != right->vcpu)
		return left->vcpu < right->vcpu ? -1 : 1;
	return memcmp(&left->kind, &right->kind, sizeof(left->kind));
}

/* Slowest first. */
static int compare_slow(const void *a, const void *b)
{
	const struct slow *left = a, *right = b;

	if (left->ns != right->ns)
		return left->ns > right->ns ? -1 : 1;
	if (left->gpa != right->gpa)
		return left->gpa < right->gpa ? -1 : 1;
	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	return (left->vcpu > right->vcpu) - (left->vcpu < right->vcpu);
}

static int compare_stacks(const void *a, const void *b)
{
	const struct stack *left = a, *right = b;

	return strcmp(left->folded, right->folded);
}

#define KIND_FIELDS(of) \
	FIELD_TO(EVENT_WINDOW, of, "event", kind.event), \
	FIELD_TO(ALIAS_UNKNOWN, of, "alias", kind.alias), \
	FIELD_TO(3, of, "level", kind.level), \
	FIELD_TO(ACCESS_UNKNOWN, of, "access", kind.access), \
	FIELD(FIELD_SIGNED, of, "result", kind.result), \
	FIELD_TO(1, of, "prefaulted", kind.prefaulted), \
	FIELD_TO(REASON_IOCTL, of, "reason", kind.reason)

static const struct field vm_fields[] = {
	SNAPSHOT_VM_FIELDS(struct trace_vm),
	FIELD(FIELD_UNSIGNED, struct trace_vm, "use_time_ns", use.time_ns),
	FIELD(FIELD_UNSIGNED, struct trace_vm, "use_mapped", use.mapped),
	FIELD(FIELD_UNSIGNED, struct trace_vm, "use_unused", use.unused),
	FIELD(FIELD_UNSIGNED, struct trace_vm, "use_untouched", use.untouched),
};

static const struct field series_fields[] = {
	FIELD(FIELD_UNSIGNED, struct series, "birth", birth),
	FIELD(FIELD_UNSIGNED, struct series, "vcpu", vcpu),
	KIND_FIELDS(struct series),
	FIELD(FIELD_HISTOGRAM, struct series, "latency", latency),
	FIELD(FIELD_UNSIGNED, struct series, "count", count),
	FIELD(FIELD_UNSIGNED, struct series, "ns", ns),
	FIELD(FIELD_UNSIGNED, struct series, "max_ns", max_ns),
	FIELD(FIELD_UNSIGNED, struct series, "pages", pages),
	FIELD(FIELD_UNSIGNED, struct series, "done_pages", done_pages),
};

static const struct field slow_fields[] = {
	FIELD(FIELD_UNSIGNED, struct slow, "ns", ns),
	FIELD(FIELD_UNSIGNED, struct slow, "gpa", gpa),
	FIELD_TO(INT32_MAX, struct slow, "pid", pid),
	FIELD(FIELD_UNSIGNED, struct slow, "vcpu", vcpu),
	KIND_FIELDS(struct slow),
	FIELD(FIELD_TEXT, struct slow, "name", name),
	FIELD(FIELD_STRING, struct slow, "frames", frames),
};

static const struct field stack_fields[] = {
	FIELD(FIELD_UNSIGNED, struct stack, "count", count),
	FIELD(FIELD_UNSIGNED, struct stack, "ns", ns),
	FIELD_TO(INT32_MAX, struct stack, "pid", pid),
	FIELD(FIELD_STRING, struct stack, "folded", folded),
};

#define FIELDS(fields) fields, sizeof(fields) / sizeof(*(fields))

const struct list_type trace_lists[LIST_COUNT] = {
	[LIST_VMS] = { "vm", sizeof(struct trace_vm), VM_SLOTS, FIELDS(vm_fields), snapshot_compare_vms, false, false },
	[LIST_SERIES] = { "series", sizeof(struct series), TRACE_SERIES_MAX, FIELDS(series_fields), compare_series,
			  true, false },
	[LIST_SLOW] = { "slow", sizeof(struct slow), TRACE_SLOW, FIELDS(slow_fields), compare_slow, false, false },
	[LIST_STACKS] = { "stack", sizeof(struct stack), TRACE_STACKS, FIELDS(stack_fields), compare_stacks, false,
			  true },
};

static void add_result(struct figures *f, int32_t result, uint64_t count)
{
	if (result == RESULT_UNKNOWN)
		return;
	if (result < 0)
		f->failed += count;
	else if (result == RESULT_FIXED)
		f->fixed += count;
	else if (result == RESULT_SPURIOUS)
		f->spurious += count;
	else if (result == RESULT_RETRY)
		f->retried += count;
	else
		f->other += count;
}

static void add_latency(struct latency *latency, const struct series *now, const struct series *then)
{
	latency->ns += now->ns - (then ? then->ns : 0);
	latency_add(latency, &now->latency, then ? &then->latency : NULL);
}

static void add_fault(struct figures *f, const struct trace_kind *kind, uint64_t count)
{
	f->faults += count;
	if (kind->alias == ALIAS_PRIVATE)
		f->private_faults += count;
	else if (kind->alias == ALIAS_SHARED)
		f->shared_faults += count;
	if (kind->level >= 1 && kind->level <= 3)
		f->levels[kind->level] += count;
	if (kind->prefaulted)
		f->late += count;
	add_result(f, kind->result, count);
}

static void add_series(const struct series *now, const struct series *then, void *figures)
{
	uint64_t count = now->count - (then ? then->count : 0);
	uint64_t pages = now->pages - (then ? then->pages : 0);
	uint64_t done_pages = now->done_pages - (then ? then->done_pages : 0);
	struct figures *f = figures;

	switch (now->kind.event) {
	case EVENT_FAULT:
		add_fault(f, &now->kind, count);
		add_latency(&f->fault, now, then);
		break;
	case EVENT_CALL:
		f->calls += count;
		if (now->kind.result < 0)
			f->failed_calls += count;
		f->asked_pages += pages;
		f->done_pages += done_pages;
		add_latency(&f->call, now, then);
		break;
	case EVENT_MAP:
		f->old_pages += pages - done_pages;
		f->new_pages += done_pages;
		if (now->kind.access == ACCESS_READ)
			f->ro_pages += done_pages;
		break;
	case EVENT_WINDOW:
		f->windows += count;
		f->proposed_pages += pages;
		f->granted_pages += done_pages;
		break;
	}
}

/* Returns the first series that is not before this vCPU of the VM. */
static size_t first_series(const struct snapshot *s, uint64_t birth, uint64_t vcpu)
{
	size_t low = 0, high = s->lists[LIST_SERIES].count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct series *at = snapshot_item(s, LIST_SERIES, middle);

		if (at->birth < birth || (at->birth == birth && at->vcpu < vcpu))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct series *series_at(const struct snapshot *s, size_t at, uint64_t birth, long vcpu)
{
	const struct series *series;

	if (!s || at >= s->lists[LIST_SERIES].count)
		return NULL;
	series = snapshot_item(s, LIST_SERIES, at);
	return series->birth == birth && (vcpu == ALL_PARTS || series->vcpu == vcpu) ? series : NULL;
}

long next_vcpu(const struct snapshot *s, const struct snapshot_vm *vm, long vcpu)
{
	const struct series *series = series_at(s, first_series(s, vm->birth, vcpu + 1), vm->birth, ALL_PARTS);

	return series ? (long)series->vcpu : ALL_PARTS;
}

/* Series that belong together are adjacent, and in the same order in both snapshots. */
void each_series(const struct pair *pair, const struct snapshot_vm *vm, long vcpu,
		 void (*each)(const struct series *now, const struct series *then, void *arg), void *arg)
{
	uint64_t first = vcpu == ALL_PARTS ? 0 : vcpu;
	size_t at = first_series(pair->now, vm->birth, first);
	size_t before = pair->before ? first_series(pair->before, vm->birth, first) : 0;
	const struct series *now, *then;

	for (; (now = series_at(pair->now, at, vm->birth, vcpu)); at++) {
		while ((then = series_at(pair->before, before, vm->birth, vcpu)) && compare_series(then, now) < 0)
			before++;
		each(now, then && !compare_series(then, now) ? then : NULL, arg);
	}
}

uint64_t touched_pages(const struct vm_use *use)
{
	/* The three counts are not read at the same instant. */
	uint64_t rest = use->unused + use->untouched;

	return use->mapped > rest ? use->mapped - rest : 0;
}

/* The count may have gone down: KVM's statistics can be reset to 0. */
static struct cell growth(uint64_t before, uint64_t now, double seconds)
{
	return (struct cell){ CELL_NUMBER, now > before ? (now - before) / seconds : 0 };
}

static void fill_use(struct figures *f, const struct pair *pair, const struct snapshot_vm *vm)
{
	const struct vm_use *use = &((const struct trace_vm *)vm)->use, none = {}, *then = &none;
	const struct trace_vm *earlier = (const void *)snapshot_vm(pair->before, vm->birth);
	double seconds = pair->seconds;

	if (!use->time_ns)
		return;
	f->untouched = (struct cell){ CELL_NUMBER, use->untouched };
	if (use->mapped)
		f->used_percent = (struct cell){ CELL_NUMBER, 100.0 * touched_pages(use) / use->mapped };
	/* It is not known when events before the first snapshot happened. Nor is KVM asked in each interval. */
	if (pair->before || pair->rates) {
		if (!earlier || !earlier->use.time_ns || use->time_ns <= earlier->use.time_ns)
			return;
		then = &earlier->use;
		if (pair->rates)
			seconds = (use->time_ns - then->time_ns) / 1e9;
	}
	f->touched = growth(touched_pages(then), touched_pages(use), seconds);
	f->unused = growth(then->unused, use->unused, seconds);
}

void fill_figures(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long vcpu)
{
	struct figures *f = figures;

	f->touched.kind = f->unused.kind = f->untouched.kind = f->used_percent.kind = CELL_NO_SAMPLE;
	each_series(pair, vm, vcpu, add_series, f);
	if (vcpu == ALL_PARTS)
		fill_use(f, pair, vm);
}
