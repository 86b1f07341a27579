// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "stacks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kinds.h"

/* @frames begin with the innermost. Frames of the tracing itself are left out, wherever they are. */
static void print_frames(FILE *out, const struct symbols *symbols, const uint64_t *frames,
			 size_t count, bool outermost_first)
{
	const char *separator = "";

	for (size_t i = 0; i < count; i++) {
		const char *name = symbols_name(symbols,
						frames[outermost_first ? count - 1 - i : i]);

		if (symbols_is_tracing(name))
			continue;
		fprintf(out, "%s%s", separator, name);
		separator = ";";
	}
}

static int add_slow(struct snapshot *s, const struct trace_slow *entry, const struct symbols *symbols)
{
	struct slow *slow = snapshot_add(s, LIST_SLOW);
	size_t count = entry->frame_count < TRACE_FRAMES ? entry->frame_count : TRACE_FRAMES;
	size_t len;
	FILE *out = slow ? open_memstream(&slow->frames, &len) : NULL;

	if (!out)
		return -ENOMEM;
	slow->ns = entry->ns;
	slow->gpa = entry->gpa;
	slow->pid = entry->pid;
	slow->vcpu = entry->vcpu;
	slow->kind = entry->kind;
	snprintf(slow->name, sizeof(slow->name), "%.*s", TASK_COMM_LEN - 1, entry->comm);
	print_frames(out, symbols, (const uint64_t *)entry->frames, count, false);
	return fclose(out) ? -ENOMEM : 0;
}

int stacks_add_slow(struct snapshot *s, const struct stack_maps *maps, struct symbols **symbols)
{
	struct trace_slow_table *table = calloc(1, maps->slow_size);
	__u32 zero = 0;
	int err = 0;

	if (!table || maps->slow_size != sizeof(*table))
		err = -ENOMEM;
	/* Take the lock, so that no entry mixes two faults. */
	if (!err && bpf_map_lookup_elem_flags(maps->slow, &zero, table, BPF_F_LOCK))
		err = -errno;
	if (!err && table->count)
		err = symbols_read(symbols);
	for (__u32 i = 0; !err && i < table->count && i < TRACE_SLOW; i++)
		err = add_slow(s, &table->entries[i], *symbols);
	free(table);
	return err;
}

/* A name must not contain separators of the format. */
static void print_name(FILE *out, const char *name)
{
	for (const char *c = name; *c; c++)
		fputc(*c == ';' || *c == ' ' || (unsigned char)*c < ' ' ? '_' : *c, out);
}

static int add_folded(struct snapshot *s, const struct stack_maps *maps, const struct symbols *symbols,
		      const struct trace_stack_key *key, const struct trace_stack *sum)
{
	struct stack *stack = snapshot_add(s, LIST_STACKS);
	uint64_t frames[TRACE_FOLDED_FRAMES] = {};
	char name[TASK_COMM_LEN];
	size_t count = 0, len;
	FILE *out = stack ? open_memstream(&stack->folded, &len) : NULL;

	if (!out)
		return -ENOMEM;
	stack->count = sum->count;
	stack->ns = sum->ns;
	stack->pid = key->pid;
	snprintf(name, sizeof(name), "%.*s", TASK_COMM_LEN - 1, key->comm);
	print_name(out, name);
	fprintf(out, "-%u;", key->pid);
	if (key->stack >= 0 && !bpf_map_lookup_elem(maps->stacks, &key->stack, frames))
		while (count < TRACE_FOLDED_FRAMES && frames[count])
			count++;
	if (count)
		print_frames(out, symbols, frames, count, true);
	else
		fputs("[stack_lost]", out);
	if (key->kind.event == EVENT_FAULT)
		fprintf(out, ";[%s_%s_%s_%s]", alias_name(key->kind.alias),
			level_name(key->kind.level), kind_access(key->kind.access),
			kind_result(key->kind.event, key->kind.result));
	else
		fprintf(out, ";[pre-fault_%s]", kind_result(key->kind.event, key->kind.result));
	return fclose(out) ? -ENOMEM : 0;
}

int stacks_add_folded(struct snapshot *s, const struct stack_maps *maps, struct symbols **symbols)
{
	struct trace_stack_key key, *before = NULL;
	struct trace_stack sum;
	int err = symbols_read(symbols);

	/* Nothing is ever deleted from this map, so the walk sees each key once. */
	while (!err && s->lists[LIST_STACKS].count < TRACE_STACKS &&
	       !bpf_map_get_next_key(maps->times, before, &key)) {
		if (!bpf_map_lookup_elem(maps->times, &key, &sum))
			err = add_folded(s, maps, *symbols, &key, &sum);
		before = &key;
	}
	return err;
}
