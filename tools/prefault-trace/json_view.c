// SPDX-License-Identifier: GPL-2.0
/* Writes a pair of snapshots as JSON: everything that is known, by vCPU and by kind. */
#include "views.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "kinds.h"

/* A figure that is not measured is null, never 0. */
static void number(struct json *json, const char *key, uint64_t value, bool measured)
{
	if (measured)
		json_u64(json, key, value);
	else
		json_null(json, key);
}

static void percentile(struct json *json, const char *key, const struct latency *latency,
		       double percent, bool measured)
{
	number(json, key, h2_percentile(latency->buckets, percent), measured && latency->count);
}

static void latency_object(struct json *json, const char *key, const struct latency *latency,
			   bool measured)
{
	json_object(json, key);
	number(json, "total", latency->ns, measured);
	percentile(json, "p50", latency, 50, measured);
	percentile(json, "p90", latency, 90, measured);
	percentile(json, "p99", latency, 99, measured);
	percentile(json, "p99_9", latency, 99.9, measured);
	percentile(json, "max", latency, 100, measured);
	/* Each pair is the value that a bucket stands for, and how many samples are in it. */
	json_array(json, "histogram");
	for (int i = 0; i < H2_BUCKETS; i++) {
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

static void sums_members(struct json *json, const struct sums *sums, unsigned int measured)
{
	bool ends = measured & MEASURE_FAULT_ENDS, calls = measured & MEASURE_CALLS;
	bool pages = measured & MEASURE_PAGES, windows = measured & MEASURE_WINDOWS;

	json_object(json, "faults");
	number(json, "count", sums->faults, measured & MEASURE_FAULTS);
	number(json, "private", sums->private_faults, ends);
	number(json, "shared", sums->shared_faults, ends);
	number(json, "level_4k", sums->levels[1], ends);
	number(json, "level_2m", sums->levels[2], ends);
	number(json, "level_1g", sums->levels[3], ends);
	number(json, "fixed", sums->fixed, ends);
	number(json, "spurious", sums->spurious, ends);
	number(json, "retried", sums->retried, ends);
	number(json, "other", sums->other, ends);
	number(json, "failed", sums->failed, ends);
	number(json, "prefaulted", sums->prefaulted, measured & MEASURE_LATE);
	latency_object(json, "ns", &sums->fault, ends);
	json_object_end(json);

	json_object(json, "calls");
	number(json, "count", sums->calls, calls);
	number(json, "failed", sums->failed_calls, calls);
	number(json, "asked_pages", sums->asked_pages, calls);
	number(json, "done_pages", sums->done_pages, calls);
	latency_object(json, "ns", &sums->call, calls);
	json_object_end(json);

	json_object(json, "mapped_ahead");
	number(json, "new_pages", sums->new_pages, pages);
	number(json, "old_pages", sums->mapped_pages - sums->new_pages, pages);
	json_object_end(json);

	json_object(json, "windows");
	number(json, "count", sums->windows, windows);
	number(json, "proposed_pages", sums->proposed_pages, windows);
	number(json, "granted_pages", sums->granted_pages, windows);
	json_object_end(json);
}

/* These counts are since the VM was created, whatever the interval. */
static void use_object(struct json *json, const struct snapshot_use *use)
{
	json_object(json, "use");
	number(json, "prefaulted_pages", use->prefaulted, use->time_ns);
	number(json, "touched_pages", snapshot_touched(use), use->time_ns);
	number(json, "unused_pages", use->unused, use->time_ns);
	number(json, "untouched_pages", use->untouched, use->time_ns);
	json_object_end(json);
}

static void kind_members(struct json *json, const struct trace_kind *kind)
{
	json_string(json, "alias", kind_alias(kind->alias));
	json_string(json, "level", kind_level(kind->level));
	json_string(json, "access", kind_access(kind->access));
	json_string(json, "result", kind_result(kind->event, kind->result));
}

static void series_object(struct json *json, const struct snapshot_series *series)
{
	static const char * const done_pages[] = {
		[EVENT_CALL] = "done_pages",
		[EVENT_MAP] = "new_pages",
		[EVENT_WINDOW] = "granted_pages",
	};
	struct latency latency = { .count = series->count, .ns = series->ns };
	bool timed = series->kind.event <= EVENT_CALL && series->kind.result != RESULT_UNKNOWN;

	memcpy(latency.buckets, series->latency, sizeof(latency.buckets));
	json_object(json, NULL);
	json_string(json, "event", kind_event(series->kind.event));
	kind_members(json, &series->kind);
	if (series->kind.event == EVENT_FAULT)
		json_bool(json, "prefaulted", series->kind.prefaulted);
	if (series->kind.event == EVENT_WINDOW)
		json_string(json, "reason", kind_reason(series->kind.reason));
	json_u64(json, "count", series->count);
	if (series->kind.event != EVENT_FAULT) {
		json_u64(json, "pages", series->pages);
		json_u64(json, done_pages[series->kind.event], series->done_pages);
	}
	if (timed)
		latency_object(json, "ns", &latency, true);
	json_object_end(json);
}

static void vcpu_object(struct json *json, const struct row *row, const struct snapshot *before,
			const struct snapshot *now)
{
	json_object(json, NULL);
	number(json, "vcpu", row->vcpu, row->vcpu != NO_VCPU);
	sums_members(json, &row->sums, now->measured);
	json_array(json, "series");
	for (size_t i = 0; i < now->series_count; i++) {
		struct snapshot_series difference;

		if (now->series[i].birth != row->vm->birth || now->series[i].vcpu != row->vcpu)
			continue;
		series_since(&difference, before, &now->series[i]);
		if (difference.count)
			series_object(json, &difference);
	}
	json_array_end(json);
	json_object_end(json);
}

static void vm_object(struct json *json, const struct row *row, const struct rows *vcpus,
		      const struct snapshot *before, const struct snapshot *now)
{
	const struct snapshot_vm *vm = row->vm;

	json_object(json, NULL);
	json_s64(json, "pid", vm->pid);
	if (vm->fd >= 0)
		json_s64(json, "fd", vm->fd);
	else
		json_null(json, "fd");
	json_string(json, "name", vm->name);
	json_bool(json, "ended", vm->ended);
	sums_members(json, &row->sums, now->measured);
	use_object(json, &vm->use);
	json_array(json, "vcpus");
	for (size_t i = 0; i < vcpus->count; i++)
		if (vcpus->rows[i].vm == vm)
			vcpu_object(json, &vcpus->rows[i], before, now);
	json_array_end(json);
	json_object_end(json);
}

static void slow_object(struct json *json, const struct snapshot_slow *slow)
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

static void truth_members(struct json *json, const struct snapshot *now)
{
	json_array(json, "hooks");
	for (int i = 0; i < METRIC_SHOWN; i++) {
		const struct snapshot_hook *hook = &now->hooks[i];

		json_object(json, NULL);
		json_string(json, "metric", hook->metric);
		if (strcmp(hook->hook, "n/a"))
			json_string(json, "hook", hook->hook);
		else
			json_null(json, "hook");
		json_string(json, "note", hook->note);
		json_object_end(json);
	}
	json_array_end(json);
	json_u64(json, "lost_events", now->lost_events);
	number(json, "lost_stacks", now->lost_stacks, now->folded);
	number(json, "bpf_ns", now->cost.ns, now->cost.known);
	number(json, "bpf_runs", now->cost.runs, now->cost.known);
}

void json_snapshot(FILE *out, const struct snapshot *before, const struct snapshot *now,
		   const struct view_options *options)
{
	const struct snapshot *since = options->rows.totals ? NULL : before;
	/* JSON has rows by VM and by vCPU, whatever the screen shows. */
	struct rows_options by_vm = { .totals = options->rows.totals, .pid = options->rows.pid };
	struct rows_options by_vcpu = by_vm;
	struct json json = { .out = out };
	struct rows vms, vcpus;
	unsigned int slowest = 0;

	by_vcpu.vcpus = true;
	if (rows_build(&vms, before, now, &by_vm))
		return;
	if (rows_build(&vcpus, before, now, &by_vcpu)) {
		rows_free(&vms);
		return;
	}
	json_object(&json, NULL);
	json_s64(&json, "time", now->wall);
	if (since)
		json_u64(&json, "interval_ns", now->time_ns - since->time_ns);
	else
		json_null(&json, "interval_ns");
	truth_members(&json, now);
	json_array(&json, "vms");
	for (size_t i = 0; i < vms.count; i++)
		vm_object(&json, &vms.rows[i], &vcpus, since, now);
	json_array_end(&json);
	json_array(&json, "slowest");
	for (size_t i = 0; i < now->slow_count && slowest < options->slowest; i++) {
		if (options->rows.pid && now->slow[i].pid != options->rows.pid)
			continue;
		slow_object(&json, &now->slow[i]);
		slowest++;
	}
	json_array_end(&json);
	json_object_end(&json);
	json_newline(&json);
	rows_free(&vms);
	rows_free(&vcpus);
}
