// SPDX-License-Identifier: GPL-2.0
/* JSON: a document on one line for each interval. A figure that is not measured is null, never 0. */
#include "batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

#define KEY_LEN 48

/* Who it is stands before the figures. */
static bool is_figure(const struct column *column, const struct row *row)
{
	if (column->trend || !strcmp(column->key, "pid") || !strcmp(column->key, "name"))
		return false;
	return column->unit != UNIT_NAME || row->part != ALL_PARTS;
}

static void figure(struct json *json, const struct column *column, const struct cell *cell, const char *text)
{
	char key[KEY_LEN];

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

/* Two views of VMs may have the same column: then JSON has it once. */
static bool is_in_before(const struct tool *tool, const struct sheet *sheet, const struct column *column)
{
	for (const struct sheet *other = tool->sheets; other < sheet; other++)
		for (int i = 0; !other->next_part && i < other->column_count; i++)
			if (!strcmp(other->columns[i].key, column->key))
				return true;
	return false;
}

static void figures(struct json *json, const struct tool *tool, const struct row *row)
{
	const struct sheet *sheet = row->sheet;

	for (int i = 0; i < sheet->column_count; i++) {
		const struct column *column = &sheet->columns[i];

		if (is_figure(column, row) && (sheet->next_part || !is_in_before(tool, sheet, column)))
			figure(json, column, &row->cells[i], column_text(column, row));
	}
	if (sheet->json_row)
		sheet->json_row(json, row);
}

static void parts(struct json *json, const struct tool *tool, const struct row_walk *walk,
		  const struct snapshot_vm *vm)
{
	long part = ALL_PARTS;

	json_array(json, walk->sheet->word);
	while ((part = walk->sheet->next_part(walk->pair->now, vm, part)) != ALL_PARTS) {
		struct row row = row_make(walk, vm, part);

		json_object(json, NULL);
		figures(json, tool, &row);
		json_object_end(json);
	}
	json_array_end(json);
}

static void text_or_null(struct json *json, const char *key, const char *text)
{
	if (*text)
		json_string(json, key, text);
	else
		json_null(json, key);
}

static void process_members(struct json *json, const struct snapshot_vm *vm)
{
	char container[VM_CGROUP_LEN];

	container_of_cgroup(vm->cgroup, container, sizeof(container));
	text_or_null(json, "comm", vm->comm);
	text_or_null(json, "cgroup", vm->cgroup);
	text_or_null(json, "container", container);
}

static void vm_object(struct json *json, const struct tool *tool, const struct row_walk *walks,
		      const struct snapshot_vm *vm)
{
	json_object(json, NULL);
	json_s64(json, "pid", vm->pid);
	if (vm->fd >= 0)
		json_s64(json, "fd", vm->fd);
	else
		json_null(json, "fd");
	json_string(json, "name", vm->name);
	process_members(json, vm);
	json_bool(json, "ended", vm->ended);
	/* First what is said of the whole VM. */
	for (int i = 0; i < tool->sheet_count; i++) {
		if (tool->sheets[i].next_part)
			continue;
		struct row row = row_make(&walks[i], vm, ALL_PARTS);

		figures(json, tool, &row);
	}
	for (int i = 0; i < tool->sheet_count; i++)
		if (tool->sheets[i].next_part)
			parts(json, tool, &walks[i], vm);
	json_object_end(json);
}

static int vms_array(struct json *json, const struct tool *tool, const struct pair *pair, const struct args *args)
{
	struct row_walk walks[SHEETS_MAX] = {};
	size_t count;
	const struct snapshot_vm **vms = vms_of(pair->now, args->pid, &count);
	int err = vms ? 0 : -ENOMEM;

	for (int i = 0; !err && i < tool->sheet_count; i++)
		err = row_walk_start(&walks[i], &tool->sheets[i], pair);
	json_array(json, "vms");
	for (size_t i = 0; !err && i < count; i++)
		vm_object(json, tool, walks, vms[i]);
	json_array_end(json);
	for (int i = 0; i < tool->sheet_count; i++)
		row_walk_end(&walks[i]);
	free(vms);
	return err;
}

static void provenance_members(struct json *json, const struct tool *tool, const struct snapshot *now)
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
	int err;

	/* JSON has all views, whichever the table shows. */
	json_object(&json, NULL);
	json_s64(&json, "time", now->wall);
	json_figure(&json, "interval_ns", pair.before ? now->time_ns - before->time_ns : 0, pair.before);
	provenance_members(&json, tool, now);
	err = vms_array(&json, tool, &pair, args);
	if (tool->json_end)
		tool->json_end(&json, now, args);
	json_object_end(&json);
	json_newline(&json);
	return err;
}

const struct format json_format = { NULL, json_interval, NULL };
