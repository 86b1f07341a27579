// SPDX-License-Identifier: GPL-2.0
/* Writes records. */
#include "record.h"

#include <inttypes.h>
#include <stdlib.h>

#include "record_format.h"

/* Blanks separate values, newlines end them: both are escaped, as is whatever else is not a visible character. */
static void write_text(FILE *out, const char *text)
{
	const unsigned char *begin = (const unsigned char *)text;

	if (!*text)
		fputc('%', out);
	for (const unsigned char *c = begin; *c; c++) {
		if (*c <= ' ' || *c == '%' || *c == 0x7f || (c == begin && (*c == HERE || *c == SAME)))
			fprintf(out, "%%%02x", *c);
		else
			fputc(*c, out);
	}
}

/* A count of 1 is left out. */
static void write_bucket(FILE *out, uint32_t from, uint32_t bucket, uint64_t count, bool first)
{
	if (bucket > from && bucket - from <= LETTERS)
		fputc('a' + bucket - from - 1, out);
	else
		fprintf(out, "%s%u:", first ? "" : ",", bucket);
	if (count > 1)
		fprintf(out, "%" PRIu64, count);
}

/* Writes what it has more than @then. Adds that to @samples. */
static void write_histogram(FILE *out, const struct histogram *histogram, const struct histogram *then,
			    struct samples *samples)
{
	uint32_t from = histogram_start(then);
	bool first = true;

	for (uint32_t bucket = histogram->low; bucket < histogram->high; bucket++) {
		uint64_t count = histogram_count(histogram, bucket) - histogram_count(then, bucket);

		if (!count)
			continue;
		write_bucket(out, from, bucket, count, first);
		samples_add(samples, bucket, count);
		from = bucket;
		first = false;
	}
	if (first)
		fputc('-', out);
}

static void write_value(FILE *out, const struct field *f, const char *at)
{
	static const struct histogram nothing;

	if (f->type == FIELD_UNSIGNED)
		fprintf(out, "%" PRIu64, field_number(f, at));
	else if (f->type == FIELD_SIGNED)
		fprintf(out, "%" PRId64, (int64_t)field_number(f, at));
	else if (f->type == FIELD_HISTOGRAM)
		write_histogram(out, (const void *)at, &nothing, &(struct samples){});
	else
		write_text(out, f->type == FIELD_TEXT ? at : *(char *const *)at);
}

static void write_item(FILE *out, const struct list_type *type, const char *word, const void *item)
{
	fputs(word, out);
	for (const struct field *f = type->fields; f < type->fields + type->field_count; f++) {
		fputc(' ', out);
		write_value(out, f, (const char *)item + f->at);
	}
	fputc('\n', out);
}

static bool has_grown(const struct histogram *now, const struct histogram *then)
{
	for (uint32_t bucket = then->low; bucket < then->high; bucket++)
		if (histogram_count(now, bucket) < histogram_count(then, bucket))
			return false;
	return true;
}

static void write_more(FILE *out, uint64_t more, const struct samples *samples)
{
	uint64_t off = more > samples->ns ? more - samples->ns : samples->ns - more;

	if (more == samples->count)
		fputc(SAMPLES, out);
	else if (off < more / 2)
		fprintf(out, "%c%" PRIu64, more < samples->ns ? '-' : '+', off);
	else
		fprintf(out, "%" PRIu64, more);
}

/* An item that the interval before had as well. */
struct change {
	const void *item, *then;
	size_t place;		/* of @then, as a reader has it */
	struct samples samples;	/* of the last column of histograms */
};

struct changes {
	struct change *all;	/* NULL: there is no memory for them */
	size_t count;
};

static void write_difference(FILE *out, const struct field *f, struct change *change)
{
	const char *at = (const char *)change->item + f->at, *then = (const char *)change->then + f->at;

	if (f->type == FIELD_UNSIGNED && field_number(f, at) > field_number(f, then)) {
		write_more(out, field_number(f, at) - field_number(f, then), &change->samples);
	} else if (f->type == FIELD_HISTOGRAM && has_grown((const void *)at, (const void *)then)) {
		write_histogram(out, (const void *)at, (const void *)then, &change->samples);
	} else {
		if (f->type == FIELD_UNSIGNED || f->type == FIELD_HISTOGRAM)
			fputc(WHOLE, out);
		write_value(out, f, at);
	}
}

static void write_column(FILE *out, const struct field *f, const struct changes *changes)
{
	const struct list_type one = { .fields = f, .field_count = 1 };
	bool begun = false;
	size_t same = 0;

	for (struct change *c = changes->all; c < changes->all + changes->count; c++) {
		if (f->type == FIELD_HISTOGRAM)
			c->samples = (struct samples){};
		if (item_equal(&one, c->item, c->then)) {
			same++;
			continue;
		}
		if (!begun)
			fprintf(out, "%c%s", COLUMN, f->key);
		begun = true;
		for (; same; same--)
			fprintf(out, " %c", SAME);
		fputc(' ', out);
		write_difference(out, f, c);
	}
	if (begun)
		fputc('\n', out);
}

/* Places that follow each other are FIRST-LAST. */
static void write_places(FILE *out, const struct changes *changes)
{
	for (size_t i = 0, next; i < changes->count; i = next) {
		size_t place = changes->all[i].place;

		for (next = i + 1; next < changes->count; next++)
			if (changes->all[next].place != place + (next - i))
				break;
		fprintf(out, " %zu", place);
		if (next > i + 1)
			fprintf(out, "-%zu", place + (next - i) - 1);
	}
}

static void write_changes(FILE *out, const struct list_type *type, const struct changes *changes)
{
	if (!changes->count)
		return;
	fprintf(out, CHANGED " %s", type->word);
	write_places(out, changes);
	fputc('\n', out);
	for (size_t i = 0; i < type->field_count; i++)
		write_column(out, &type->fields[i], changes);
}

static void write_keys(FILE *out, const struct list_type *type)
{
	fprintf(out, "keys %s", type->word);
	for (size_t i = 0; i < type->field_count; i++)
		fprintf(out, " %s", type->fields[i].key);
	fputc('\n', out);
}

void record_write_header(FILE *out, const struct tool *tool, const struct snapshot *first)
{
	fprintf(out, MAGIC " %d %s\nmeasured", VERSION, tool->name);
	for (int bit = 0; tool->measures[bit]; bit++)
		if (first->measured & 1U << bit)
			fprintf(out, " %s", tool->measures[bit]);
	fputc('\n', out);
	for (int i = 0; i < first->hook_count; i++)
		write_item(out, &hook_type, hook_type.word, &first->hooks[i]);
	write_keys(out, &snapshot_type);
	for (int list = 0; list < tool->list_count; list++)
		write_keys(out, &tool->lists[list]);
}

/* A walk through a list of the interval before, whose items a reader knows by their places. */
struct old_items {
	const struct snapshot *before;
	int list;
	size_t at, place;
};

static const void *old_item(const struct old_items *old)
{
	return old->before && old->at < old->before->lists[old->list].count ?
	       snapshot_item(old->before, old->list, old->at) : NULL;
}

static void skip_old(struct old_items *old)
{
	old->place += is_kept(old->before, &old->before->types[old->list], old_item(old));
	old->at++;
}

/* Says that what comes before @item is gone, or all that is left for NULL. */
static void write_gone(FILE *out, struct old_items *old, const struct snapshot *now, const void *item)
{
	const struct list_type *type = &now->types[old->list];
	const void *then;

	for (; (then = old_item(old)); skip_old(old)) {
		if (item && type->compare(then, item) >= 0)
			return;
		if (old->list && is_kept(old->before, type, then) && is_kept(now, type, then))
			fprintf(out, "%s %c%zu %c\n", type->word, HERE, old->place, GONE);
	}
}

/* Both lists are in the same order. */
static void write_new_items(FILE *out, int list, const struct snapshot *before, const struct snapshot *now)
{
	const struct list_type *type = &now->types[list];
	struct changes changes = { .all = calloc(now->lists[list].count + 1, sizeof(*changes.all)) };
	struct old_items old = { .before = before, .list = list };

	for (size_t i = 0; i < now->lists[list].count; i++) {
		const void *item = snapshot_item(now, list, i), *then;

		write_gone(out, &old, now, item);
		then = old_item(&old);
		/* A reader takes a whole item instead of the one before. */
		if (!then || type->compare(then, item) || !is_kept(before, type, then) || !changes.all) {
			write_item(out, type, type->word, item);
			continue;
		}
		/* The first list tells which VMs there are. */
		if (!list || !item_equal(type, then, item))
			changes.all[changes.count++] = (struct change){ item, then, old.place, {} };
		skip_old(&old);
	}
	write_gone(out, &old, now, NULL);
	write_changes(out, type, &changes);
	free(changes.all);
}

void record_write(FILE *out, const struct snapshot *before, const struct snapshot *now)
{
	write_item(out, &snapshot_type, snapshot_type.word, now);
	for (int list = 0; list < now->list_count; list++)
		if (!now->types[list].at_end)
			write_new_items(out, list, before, now);
	fputs("end\n", out);
}

void record_write_last(FILE *out, const struct snapshot *last)
{
	write_item(out, &snapshot_type, "last", last);
	for (int list = 0; list < last->list_count; list++)
		for (size_t i = 0; last->types[list].at_end && i < last->lists[list].count; i++)
			write_item(out, &last->types[list], last->types[list].word, snapshot_item(last, list, i));
	fputs("end\n", out);
}
