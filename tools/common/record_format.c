// SPDX-License-Identifier: GPL-2.0
#include "record_format.h"

#include <string.h>

static const struct field hook_fields[] = {
	FIELD(FIELD_TEXT, struct snapshot_hook, "metric", metric),
	FIELD(FIELD_TEXT, struct snapshot_hook, "hook", hook),
	FIELD(FIELD_TEXT, struct snapshot_hook, "note", note),
};

const struct list_type hook_type = { .word = "hook", .fields = hook_fields, .field_count = 3 };

void samples_add(struct samples *samples, uint32_t bucket, uint64_t count)
{
	samples->count += count;
	samples->ns += count * h2_middle(bucket);
}

/* The first bucket of an interval is most often near the one up to which there is an eighth of all samples. */
uint32_t histogram_start(const struct histogram *then)
{
	uint64_t total = 0, seen = 0;
	uint32_t bucket;

	for (bucket = then->low; bucket < then->high; bucket++)
		total += histogram_count(then, bucket);
	for (bucket = then->low; bucket < then->high; bucket++) {
		seen += histogram_count(then, bucket);
		if (seen >= total / 8)
			break;
	}
	return bucket > LETTERS / 2 ? bucket - LETTERS / 2 : 0;
}

/* The lowest bytes come first. */
uint64_t field_number(const struct field *field, const char *at)
{
	int unused_bits = 64 - 8 * field->size;
	uint64_t number = 0;

	memcpy(&number, at, field->size);
	return field->type == FIELD_SIGNED ? (uint64_t)((int64_t)(number << unused_bits) >> unused_bits) : number;
}

bool is_kept(const struct snapshot *s, const struct list_type *type, const void *item)
{
	return !type->of_vm || snapshot_vm(s, *(const uint64_t *)item);
}
