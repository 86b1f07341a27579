// SPDX-License-Identifier: GPL-2.0
/* What the formats have beyond the columns: kinds of events, histograms, the slowest faults, folded stacks. */
#include "figures.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kinds.h"
#include "rows.h"
#include "utf8.h"

static void percentile(struct json *json, const char *key, const struct latency *latency, double percent,
		       bool measured)
{
	json_figure(json, key, latency_percentile(latency, percent), measured && latency->count);
}

static void latency_object(struct json *json, const char *key, const struct latency *latency, bool measured)
{
	json_object(json, key);
	json_figure(json, "total", latency->ns, measured);
	percentile(json, "p50", latency, 50, measured);
	percentile(json, "p90", latency, 90, measured);
	percentile(json, "p99", latency, 99, measured);
	percentile(json, "p99_9", latency, 99.9, measured);
	percentile(json, "max", latency, 100, measured);
	/* Each pair is the value that a bucket stands for, and how many samples are in it. */
	json_array(json, "histogram");
	for (uint32_t i = latency->low; i < latency->high; i++) {
		if (!latency->buckets[i])
			continue;
		json_array(json, NULL);
		json_u64(json, NULL, h2_middle(i));
		json_u64(json, NULL, latency->buckets[i]);
		json_array_end(json);
	}
	json_array_end(json);
	json_object_end(json);
}

static void kind_members(struct json *json, const struct trace_kind *kind)
{
	json_string(json, "alias", alias_name(kind->alias));
	json_string(json, "level", level_name(kind->level));
	json_string(json, "access", kind_access(kind->access));
	json_string(json, "result", kind_result(kind->event, kind->result));
}

static void series_object(const struct series *now, const struct series *then, void *arg)
{
	static const char * const done_pages[] = {
		[EVENT_CALL] = "done_pages",
		[EVENT_MAP] = "new_pages",
		[EVENT_WINDOW] = "granted_pages",
	};
	bool timed = now->kind.event <= EVENT_CALL && now->kind.result != RESULT_UNKNOWN;
	uint64_t count = now->count - (then ? then->count : 0);
	struct json *json = arg;

	if (!count)
		return;
	json_object(json, NULL);
	json_string(json, "event", kind_event(now->kind.event));
	kind_members(json, &now->kind);
	if (now->kind.event == EVENT_FAULT)
		json_bool(json, "prefaulted", now->kind.prefaulted);
	if (now->kind.event == EVENT_WINDOW)
		json_string(json, "reason", kind_reason(now->kind.reason));
	json_u64(json, "count", count);
	if (now->kind.event != EVENT_FAULT) {
		json_u64(json, "pages", now->pages - (then ? then->pages : 0));
		json_u64(json, done_pages[now->kind.event], now->done_pages - (then ? then->done_pages : 0));
	}
	if (timed) {
		struct latency latency = { .ns = now->ns - (then ? then->ns : 0) };

		latency_add(&latency, &now->latency, then ? &then->latency : NULL);
		latency_object(json, "ns", &latency, true);
	}
	json_object_end(json);
}

/* These counts are since the VM was created, whatever the interval. */
static void use_object(struct json *json, const struct vm_use *use)
{
	json_object(json, "use");
	json_figure(json, "mapped_pages", use->mapped, use->time_ns);
	json_figure(json, "touched_pages", touched_pages(use), use->time_ns);
	json_figure(json, "unused_pages", use->unused, use->time_ns);
	json_figure(json, "untouched_pages", use->untouched, use->time_ns);
	json_object_end(json);
}

void json_row(struct json *json, const struct row *row)
{
	unsigned int measured = row->pair->now->measured;
	const struct figures *f = row->figures;

	json_figure(json, "fixed", f->fixed, measured & MEASURE_FAULT_ENDS);
	json_figure(json, "asked_pg", f->asked_pages, measured & MEASURE_CALLS);
	latency_object(json, "fault_ns", &f->fault, measured & MEASURE_FAULT_ENDS);
	latency_object(json, "call_ns", &f->call, measured & MEASURE_CALLS);
	if (row->part == ALL_PARTS) {
		use_object(json, &((const struct trace_vm *)row->vm)->use);
		return;
	}
	json_array(json, "series");
	each_series(row->pair, row->vm, row->part, series_object, json);
	json_array_end(json);
}

static unsigned int slowest_of(const struct args *args)
{
	return ((const struct trace_args *)args)->slowest;
}

static void slow_object(struct json *json, const struct slow *slow)
{
	char *frames = strdup(slow->frames), *at = frames, *frame;

	json_object(json, NULL);
	json_u64(json, "ns", slow->ns);
	json_u64(json, "gpa", slow->gpa);
	json_s64(json, "pid", slow->pid);
	json_string(json, "name", slow->name);
	json_u64(json, "vcpu", slow->vcpu);
	kind_members(json, &slow->kind);
	json_array(json, "stack");
	while (frames && (frame = strsep(&at, ";")))
		if (*frame)
			json_string(json, NULL, frame);
	json_array_end(json);
	json_object_end(json);
	free(frames);
}

const struct slow *next_slow(const struct snapshot *now, const struct args *args, size_t *at)
{
	while (*at < now->lists[LIST_SLOW].count) {
		const struct slow *slow = snapshot_item(now, LIST_SLOW, (*at)++);

		if (!args->pid || slow->pid == args->pid)
			return slow;
	}
	return NULL;
}

void json_slowest(struct json *json, const struct snapshot *now, const struct args *args)
{
	unsigned int left = slowest_of(args);
	const struct slow *slow;
	size_t at = 0;

	json_array(json, "slowest");
	while (left-- && (slow = next_slow(now, args, &at)))
		slow_object(json, slow);
	json_array_end(json);
}

void print_slowest(FILE *out, const struct snapshot *now, const struct args *args)
{
	unsigned int left = slowest_of(args);
	const struct slow *slow;
	size_t at = 0;

	while (left-- && (slow = next_slow(now, args, &at)))
		fprintf(out, "slow %.3f us  gpa 0x%" PRIx64 "  pid %d  vcpu %u  %s %s %s %s  %s\n",
			slow->ns / 1000.0, slow->gpa, slow->pid, slow->vcpu, alias_name(slow->kind.alias),
			level_name(slow->kind.level), kind_access(slow->kind.access),
			kind_result(slow->kind.event, slow->kind.result), slow->frames);
}

/* Readers stop at text that is not UTF-8; a process can call itself anything. */
static void write_utf8(FILE *out, const char *text)
{
	uint32_t code;

	while (*text) {
		int bytes = utf8_char(text, &code);

		if (bytes && !utf8_is_control(code))
			fwrite(text, 1, bytes, out);
		else
			fputc('_', out);
		text += bytes ?: 1;
	}
}

void write_folded(FILE *out, const struct snapshot *last, pid_t pid)
{
	for (size_t i = 0; i < last->lists[LIST_STACKS].count; i++) {
		const struct stack *stack = snapshot_item(last, LIST_STACKS, i);

		if (pid && stack->pid != pid)
			continue;
		write_utf8(out, stack->folded);
		fprintf(out, " %" PRIu64 "\n", stack->ns);
	}
	/* Their time is not known; a frame of no width still tells whoever reads the file. */
	if (last->lost_stacks)
		fprintf(out, "[%" PRIu64 "_stacks_lost] 0\n", last->lost_stacks);
}
