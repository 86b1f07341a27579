// SPDX-License-Identifier: GPL-2.0
/* JSON: a document on one line for each interval. A figure that is not measured is null, never 0. */
#include "batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

#define KEY_LEN 48

static void figures(struct json *json, const struct tool *tool, const struct row *row)
{
	char key[KEY_LEN];

	for (int i = 0; i < tool->column_count; i++) {
		const struct column *column = &tool->columns[i];
		const struct cell *cell = &row->cells[i];
		const char *text = column_text(column, row);

		/* Who it is stands before the figures. */
		if (column->unit == UNIT_NAME || !strcmp(column->key, "name"))
			continue;
		snprintf(key, sizeof(key), "%s%s", column->key, unit_suffix(column->unit));
		if (text && !text_is_none(column, text))
			json_string(json, key, text);
		else if (text || cell->kind != CELL_NUMBER)
			json_null(json, key);
		else if (column->unit == UNIT_PERCENT)
			json_real(json, key, cell->number);
		else
			json_u64(json, key, cell->number);
	}
	if (tool->json_row)
		tool->json_row(json, row);
}

static void vcpus(struct json *json, const struct row_walk *walk, const struct snapshot_vm *vm)
{
	const struct tool *tool = walk->tool;
	long vcpu = VCPU_ALL;

	json_array(json, "vcpus");
	while ((vcpu = tool->next_vcpu(walk->pair->now, vm, vcpu)) != VCPU_ALL) {
		struct row row = row_make(walk, vm, vcpu);

		json_object(json, NULL);
		if (vcpu == NO_VCPU)
			json_null(json, "vcpu");
		else
			json_u64(json, "vcpu", vcpu);
		figures(json, tool, &row);
		json_object_end(json);
	}
	json_array_end(json);
}

static void vm_object(struct json *json, const struct row_walk *walk, const struct snapshot_vm *vm)
{
	struct row row = row_make(walk, vm, VCPU_ALL);

	json_object(json, NULL);
	json_s64(json, "pid", vm->pid);
	if (vm->fd >= 0)
		json_s64(json, "fd", vm->fd);
	else
		json_null(json, "fd");
	json_string(json, "name", vm->name);
	json_bool(json, "ended", vm->ended);
	figures(json, walk->tool, &row);
	if (walk->tool->next_vcpu)
		vcpus(json, walk, vm);
	json_object_end(json);
}

static void truth_members(struct json *json, const struct tool *tool, const struct snapshot *now)
{
	json_array(json, "hooks");
	for (int i = 0; i < tool->shown_hooks; i++) {
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
	json_figure(json, "lost_stacks", now->lost_stacks, now->has_stacks);
	json_figure(json, "bpf_ns", now->cost.ns, now->cost.known);
	json_figure(json, "bpf_runs", now->cost.runs, now->cost.known);
}

static int json_interval(FILE *out, const struct tool *tool, const struct snapshot *before,
			 const struct snapshot *now, const struct args *args)
{
	struct pair pair = counts_of(before, now, args->totals);
	struct json json = { .out = out };
	struct row_walk walk;
	size_t count;
	const struct snapshot_vm **vms = vms_of(now, args->pid, &count);
	int err = row_walk_start(&walk, tool, &pair);

	/* JSON has VMs and vCPUs, whatever the table shows. */
	json_object(&json, NULL);
	json_s64(&json, "time", now->wall);
	json_figure(&json, "interval_ns", pair.before ? now->time_ns - before->time_ns : 0, pair.before);
	truth_members(&json, tool, now);
	json_array(&json, "vms");
	for (size_t i = 0; !err && vms && i < count; i++)
		vm_object(&json, &walk, vms[i]);
	json_array_end(&json);
	if (tool->json_end)
		tool->json_end(&json, now, args);
	json_object_end(&json);
	json_newline(&json);
	row_walk_end(&walk);
	err = vms ? err : -ENOMEM;
	free(vms);
	return err;
}

const struct format json_format = { NULL, json_interval, NULL };
