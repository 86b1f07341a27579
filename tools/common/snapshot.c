// SPDX-License-Identifier: GPL-2.0
#include "snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"

/* The end of the year 9999, in seconds since 1970. localtime() fails for what is much later. */
#define WALL_MAX 253402300799

static const struct field snapshot_fields[] = {
	FIELD(FIELD_UNSIGNED, struct snapshot, "time_ns", time_ns),
	FIELD_TO(WALL_MAX, struct snapshot, "wall", wall),
	FIELD(FIELD_UNSIGNED, struct snapshot, "lost_events", lost_events),
	FIELD(FIELD_UNSIGNED, struct snapshot, "lost_stacks", lost_stacks),
	FIELD_TO(1, struct snapshot, "cost_known", cost.known),
	FIELD(FIELD_UNSIGNED, struct snapshot, "bpf_ns", cost.ns),
	FIELD(FIELD_UNSIGNED, struct snapshot, "bpf_runs", cost.runs),
	FIELD(FIELD_UNSIGNED, struct snapshot, "process_ns", cost.process_ns),
	FIELD(FIELD_UNSIGNED, struct snapshot, "late", late),
	FIELD_TO(KVM_PATCHED, struct snapshot, "host_kvm", host_kvm),
	FIELD_TO(IN_PLACE_ON, struct snapshot, "in_place", in_place),
	FIELD_TO(1, struct snapshot, "idle_listed", idle_listed),
	FIELD_TO(1, struct snapshot, "has_stacks", has_stacks),
};

const struct list_type snapshot_type = {
	.word = "snapshot",
	.fields = snapshot_fields,
	.field_count = sizeof(snapshot_fields) / sizeof(*snapshot_fields),
};

struct snapshot *snapshot_new(const struct list_type *types, int list_count)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (s) {
		s->references = 1;
		s->types = types;
		s->list_count = list_count;
	}
	return s;
}

struct snapshot *snapshot_hold(struct snapshot *s)
{
	if (s)
		__atomic_add_fetch(&s->references, 1, __ATOMIC_RELAXED);
	return s;
}

void snapshot_free(struct snapshot *s)
{
	if (!s || __atomic_sub_fetch(&s->references, 1, __ATOMIC_ACQ_REL))
		return;
	for (int list = 0; list < s->list_count; list++) {
		for (size_t i = 0; i < s->lists[list].count; i++)
			item_free(&s->types[list], snapshot_item(s, list, i));
		free(s->lists[list].items);
	}
	free(s);
}

void *snapshot_add(struct snapshot *s, int list)
{
	struct list *l = &s->lists[list];
	size_t size = s->types[list].size;

	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		char *items = reallocarray(l->items, room, size);

		if (!items)
			return NULL;
		l->items = items;
		l->room = room;
	}
	return memset(l->items + l->count++ * size, 0, size);
}

void *snapshot_item(const struct snapshot *s, int list, size_t at)
{
	return s->lists[list].items + at * s->types[list].size;
}

/* The list of a map's runs is made in its order, and is long. */
static bool is_in_order(const struct snapshot *s, int list)
{
	for (size_t i = 1; i < s->lists[list].count; i++)
		if (s->types[list].compare(snapshot_item(s, list, i - 1), snapshot_item(s, list, i)) > 0)
			return false;
	return true;
}

void snapshot_sort(struct snapshot *s)
{
	for (int list = 0; list < s->list_count; list++) {
		const struct list_type *type = &s->types[list];
		struct list *l = &s->lists[list];

		if (!is_in_order(s, list))
			qsort(l->items, l->count, type->size, type->compare);
		while (l->count > type->max)
			item_free(type, snapshot_item(s, list, --l->count));
	}
}

int snapshot_compare_vms(const void *a, const void *b)
{
	const struct snapshot_vm *left = a, *right = b;

	if (left->birth != right->birth)
		return left->birth < right->birth ? -1 : 1;
	if (left->birth)
		return 0;
	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	if (left->creator_tid != right->creator_tid)
		return left->creator_tid < right->creator_tid ? -1 : 1;
	if (left->fd != right->fd)
		return left->fd < right->fd ? -1 : 1;
	return (left->id > right->id) - (left->id < right->id);
}

const struct snapshot_vm *snapshot_vm(const struct snapshot *s, uint64_t birth)
{
	const struct snapshot_vm key = { .birth = birth };

	if (!s || !birth || !s->lists[0].count)
		return NULL;
	return bsearch(&key, s->lists[0].items, s->lists[0].count, s->types[0].size, snapshot_compare_vms);
}

static bool field_equal(const struct field *field, const char *a, const char *b)
{
	if (field->type == FIELD_STRING)
		return !strcmp(*(char *const *)a, *(char *const *)b);
	if (field->type == FIELD_HISTOGRAM)
		return histogram_equal((const void *)a, (const void *)b);
	return !memcmp(a, b, field->size);
}

bool item_equal(const struct list_type *type, const void *a, const void *b)
{
	for (const struct field *f = type->fields; f < type->fields + type->field_count; f++)
		if (!field_equal(f, (const char *)a + f->at, (const char *)b + f->at))
			return false;
	return true;
}

int item_copy(const struct list_type *type, void *to, const void *from)
{
	int err = 0;

	memcpy(to, from, type->size);
	/* Nothing may be owned twice, even if memory runs out. */
	for (const struct field *f = type->fields; f < type->fields + type->field_count; f++) {
		char *into = (char *)to + f->at;

		if (f->type == FIELD_STRING) {
			*(char **)into = strdup(*(char **)into);
			if (!*(char **)into)
				err = -ENOMEM;
		} else if (f->type == FIELD_HISTOGRAM) {
			const struct histogram *old = (const void *)((const char *)from + f->at);

			if (histogram_copy((struct histogram *)into, old))
				err = -ENOMEM;
		}
	}
	return err;
}

void item_free(const struct list_type *type, void *item)
{
	for (const struct field *f = type->fields; f < type->fields + type->field_count; f++) {
		char *at = (char *)item + f->at;

		if (f->type == FIELD_STRING)
			free(*(char **)at);
		else if (f->type == FIELD_HISTOGRAM)
			free(((struct histogram *)at)->counts);
	}
}
