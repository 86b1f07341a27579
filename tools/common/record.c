// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "record.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"
#include "unzip.h"
#include "utf8.h"

/* The number is incremented when a reader of the previous version would misread the record. */
#define MAGIC	"memattr-record"
#define VERSION	3

#define NO_FIELD (-1)

/* No version of a record will have more for a line. */
#define KEYS_MAX 64

static const struct field hook_fields[] = {
	FIELD(FIELD_TEXT, struct snapshot_hook, "metric", metric),
	FIELD(FIELD_TEXT, struct snapshot_hook, "hook", hook),
	FIELD(FIELD_TEXT, struct snapshot_hook, "note", note),
};

/* Its keys are always these, in this order. */
static const struct list_type hook_type = { .word = "hook", .fields = hook_fields, .field_count = 3 };

/* --- writing --- */

/* Blanks separate values, newlines end them: both are escaped, as is whatever else is not a visible character. */
static void write_text(FILE *out, const char *text)
{
	if (!*text)
		fputc('%', out);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c <= ' ' || *c == '%' || *c == 0x7f)
			fprintf(out, "%%%02x", *c);
		else
			fputc(*c, out);
	}
}

static void write_histogram(FILE *out, const struct histogram *histogram)
{
	const char *separator = "";

	for (uint32_t bucket = histogram->low; bucket < histogram->high; bucket++) {
		uint64_t count = histogram_count(histogram, bucket);

		if (!count)
			continue;
		fprintf(out, "%s%u:%" PRIu64, separator, bucket, count);
		separator = ",";
	}
	if (!*separator)
		fputc('-', out);
}

/* The lowest bytes come first. */
static uint64_t load(const struct field *field, const char *at)
{
	int unused_bits = 64 - 8 * field->size;
	uint64_t number = 0;

	memcpy(&number, at, field->size);
	return field->type == FIELD_SIGNED ? (uint64_t)((int64_t)(number << unused_bits) >> unused_bits) : number;
}

static void write_item(FILE *out, const struct list_type *type, const char *word, const void *item)
{
	fputs(word, out);
	for (const struct field *f = type->fields; f < type->fields + type->field_count; f++) {
		const char *at = (const char *)item + f->at;

		fputc(' ', out);
		if (f->type == FIELD_UNSIGNED)
			fprintf(out, "%" PRIu64, load(f, at));
		else if (f->type == FIELD_SIGNED)
			fprintf(out, "%" PRId64, (int64_t)load(f, at));
		else if (f->type == FIELD_HISTOGRAM)
			write_histogram(out, (const void *)at);
		else
			write_text(out, f->type == FIELD_TEXT ? at : *(char *const *)at);
	}
	fputc('\n', out);
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

/* Both lists are in the same order. */
static void write_new_items(FILE *out, int list, const struct snapshot *before, const struct snapshot *now)
{
	const struct list_type *type = &now->types[list];
	size_t then = 0;

	for (size_t i = 0; i < now->lists[list].count; i++) {
		const void *item = snapshot_item(now, list, i);
		int order = 1;

		while (before && list && then < before->lists[list].count &&
		       (order = type->compare(snapshot_item(before, list, then), item)) < 0)
			then++;
		if (order || !item_equal(type, snapshot_item(before, list, then), item))
			write_item(out, type, type->word, item);
	}
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

/* --- reading --- */

/* Which field each value of a line is. */
struct layout {
	const struct list_type *type;
	size_t count;
	int fields[KEYS_MAX];	/* or NO_FIELD */
};

struct record_reader {
	const struct tool *tool;
	const char *name;
	FILE *file;
	int fd;			/* of the file itself, which may be compressed */
	char *line;
	size_t line_size;
	bool damaged, ended;
	struct layout layouts[1 + LISTS_MAX];	/* of the snapshot and its lists */
	struct snapshot *before;	/* also has the header's contents */
	struct snapshot *last;
};

/* Returns the first word of the next line, and its rest in @rest; NULL at the end of the file. */
static char *next_line(struct record_reader *r, char **rest)
{
	ssize_t len = getline(&r->line, &r->line_size, r->file);

	if (len < 0)
		return NULL;
	/* A line without a newline was cut off. */
	if (r->line[len - 1] != '\n')
		r->damaged = true;
	else
		r->line[len - 1] = '\0';
	*rest = r->line;
	return strsep(rest, " ");
}

/* Undoes write_text() in place. The text goes to a terminal: nothing in it may be a command. */
static void read_text(char *text)
{
	char *to = text;
	uint32_t code;
	int bytes;

	for (const char *c = text; *c; to++) {
		unsigned int byte;

		if (*c == '%' && isxdigit((unsigned char)c[1]) && sscanf(c + 1, "%2x", &byte) == 1 && byte) {
			*to = byte;
			c += 3;
		} else {
			*to = *c++;
		}
	}
	*to = '\0';
	if (!strcmp(text, "%"))
		*text = '\0';
	for (char *c = text; *c; c += bytes ?: 1) {
		bytes = utf8_char(c, &code);
		if (!bytes)
			*c = '?';
		else if (utf8_is_control(code))
			memset(c, '?', bytes);
	}
}

/* Reads digits; strtoull() itself would accept much more. */
static bool read_unsigned(char **text, uint64_t max, uint64_t *number)
{
	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	*number = strtoull(*text, text, 10);
	return !errno && *number <= max;
}

static bool read_histogram(char *text, struct histogram *histogram)
{
	__u64 buckets[H2_BUCKETS] = {};
	uint64_t bucket, count;

	if (!strcmp(text, "-"))
		return true;
	do {
		if (!read_unsigned(&text, H2_BUCKETS - 1, &bucket) || *text++ != ':' ||
		    !read_unsigned(&text, UINT64_MAX, &count))
			return false;
		buckets[bucket] = count;
	} while (*text++ == ',');
	return !text[-1] && !histogram_set(histogram, buckets);
}

static bool read_number(const struct field *field, char *text, char *at)
{
	uint64_t most = UINT64_MAX >> (64 - 8 * field->size), number;
	bool negative = field->type == FIELD_SIGNED && *text == '-';

	if (field->type == FIELD_SIGNED)
		most = most / 2;
	text += negative;
	if (!read_unsigned(&text, field->max ?: most, &number) || *text)
		return false;
	number = negative ? -number : number;
	memcpy(at, &number, field->size);
	return true;
}

static bool read_value(const struct field *field, char *text, char *at)
{
	switch (field->type) {
	case FIELD_TEXT:
		read_text(text);
		snprintf(at, field->size, "%s", text);
		return true;
	case FIELD_STRING:
		read_text(text);
		free(*(char **)at);
		*(char **)at = strdup(text);
		return *(char **)at;
	case FIELD_HISTOGRAM:
		return read_histogram(text, (struct histogram *)at);
	default:
		return read_number(field, text, at);
	}
}

static void read_item(struct record_reader *r, const struct layout *layout, char *rest, void *item)
{
	/* No text is NULL, even if the record does not have its key. */
	for (size_t i = 0; i < layout->type->field_count; i++) {
		const struct field *field = &layout->type->fields[i];

		if (field->type == FIELD_STRING && !(*(char **)((char *)item + field->at) = strdup("")))
			r->damaged = true;
	}
	for (size_t i = 0; i < layout->count && !r->damaged; i++) {
		char *text = strsep(&rest, " ");
		const struct field *field = &layout->type->fields[layout->fields[i] < 0 ? 0 : layout->fields[i]];

		if (!text || (layout->fields[i] != NO_FIELD &&
			      !read_value(field, text, (char *)item + field->at)))
			r->damaged = true;
	}
	if (rest)
		r->damaged = true;
}

static struct layout *layout_of(struct record_reader *r, const char *word)
{
	for (int i = 0; i < 1 + r->tool->list_count; i++)
		if (!strcmp(r->layouts[i].type->word, word))
			return &r->layouts[i];
	return NULL;
}

/* Each field has one value only: a key that comes again stands for nothing. */
static int find_field(const struct layout *layout, const char *key)
{
	for (size_t i = 0; i < layout->type->field_count; i++) {
		if (strcmp(layout->type->fields[i].key, key))
			continue;
		for (size_t at = 0; at < layout->count; at++)
			if (layout->fields[at] == (int)i)
				return NO_FIELD;
		return i;
	}
	return NO_FIELD;
}

static void read_keys(struct record_reader *r, char *rest)
{
	const char *word = strsep(&rest, " "), *key;
	struct layout *layout = word ? layout_of(r, word) : NULL;

	if (!layout || layout->count)
		return;
	while ((key = strsep(&rest, " ")) && layout->count < KEYS_MAX) {
		layout->fields[layout->count] = find_field(layout, key);
		layout->count++;
	}
}

static void read_measured(struct record_reader *r, char *rest)
{
	const char *word;

	while ((word = strsep(&rest, " ")))
		for (int bit = 0; r->tool->measures[bit]; bit++)
			if (!strcmp(r->tool->measures[bit], word))
				r->before->measured |= 1U << bit;
}

static void read_hook(struct record_reader *r, char *rest)
{
	static const struct layout layout = { &hook_type, 3, { 0, 1, 2 } };

	if (r->before->hook_count < HOOKS_MAX)
		read_item(r, &layout, rest, &r->before->hooks[r->before->hook_count++]);
}

/* Says whose record it is, if it is one. */
static bool check_magic(struct record_reader *r, struct diag *why)
{
	char *rest, *word = next_line(r, &rest), *version, *tool;

	if (word && !r->damaged && !strcmp(word, MAGIC)) {
		version = strsep(&rest, " ");
		tool = strsep(&rest, " ");
		if (version && tool && atoi(version) == VERSION && !strcmp(tool, r->tool->name))
			return true;
		if (version && tool && atoi(version) == VERSION)
			diag_set(why, "--replay with that tool", "%s is a record of another tool", r->name);
		else
			diag_set(why, "the version that recorded it", "another version made %s", r->name);
		return false;
	}
	diag_set(why, "--record FILE, which makes one", "%s is not a record of %s, or another version made it", r->name, r->tool->name);
	return false;
}

struct record_reader *record_open(const struct tool *tool, const char *name, struct diag *why)
{
	struct record_reader *r = calloc(1, sizeof(*r));

	if (!r) {
		diag_set(why, "", "out of memory");
		return NULL;
	}
	r->tool = tool;
	r->name = name;
	r->layouts[0].type = &snapshot_type;
	for (int i = 0; i < tool->list_count; i++)
		r->layouts[1 + i].type = &tool->lists[i];
	r->file = strcmp(name, "-") ? fopen(name, "re") : fdopen(fcntl(0, F_DUPFD_CLOEXEC, 3), "r");
	if (r->file) {
		r->fd = fileno(r->file);
		r->file = unzip(r->file);
	}
	r->before = snapshot_new(tool->lists, tool->list_count);
	if (r->file && r->before && check_magic(r, why))
		return r;
	if (!r->file)
		diag_set(why, "--record FILE, which makes one", "cannot open %s: %s", name, strerror(errno));
	record_close(r);
	return NULL;
}

void record_close(struct record_reader *r)
{
	snapshot_free(r->before);
	snapshot_free(r->last);
	if (r->file)
		fclose(r->file);
	free(r->line);
	free(r);
}

int record_fd(const struct record_reader *r)
{
	return r->fd;
}

static void read_list_item(struct record_reader *r, struct snapshot *s, const char *word, char *rest)
{
	struct layout *layout = layout_of(r, word);
	int list = layout ? layout - r->layouts - 1 : -1;
	void *item;

	if (list < 0 || !layout->count)
		return;
	/* What is ever written has limits, so that a damaged file does not use up all memory. */
	item = s->lists[list].count < s->types[list].max ? snapshot_add(s, list) : NULL;
	if (item)
		read_item(r, layout, rest, item);
	else
		r->damaged = true;
}

/* Adds what is as before. Both lists are in order. */
static int merge_list(struct snapshot *s, int list, const struct snapshot *before)
{
	const struct list_type *type = &s->types[list];
	struct list fresh = s->lists[list];
	size_t then = 0, at = 0;
	int err = 0;

	s->lists[list] = (struct list){};
	while (!err && (at < fresh.count || then < before->lists[list].count)) {
		void *old = snapshot_item(before, list, then), *new = fresh.items + at * type->size, *item;
		int order = at == fresh.count ? -1 :
			    then == before->lists[list].count ? 1 : type->compare(old, new);

		if (order >= 0) {
			item = snapshot_add(s, list);
			if (item)
				memcpy(item, new, type->size);
			err = item ? 0 : -ENOMEM;
			at += item != NULL;
		} else if (!type->of_vm || snapshot_vm(s, *(uint64_t *)old)) {
			item = snapshot_add(s, list);
			err = item ? item_copy(type, item, old) : -ENOMEM;
		}
		then += order <= 0;
	}
	for (; at < fresh.count; at++)
		item_free(type, fresh.items + at * type->size);
	free(fresh.items);
	return err;
}

static int complete(struct record_reader *r, struct snapshot *s)
{
	int err = 0;

	snapshot_sort(s);
	for (int list = 1; !err && list < s->list_count; list++)
		if (!s->types[list].at_end)
			err = merge_list(s, list, r->before);
	snapshot_sort(s);
	return err;
}

/* Returns a new snapshot with what the header says. */
static struct snapshot *begin(struct record_reader *r, char *rest)
{
	struct snapshot *s = snapshot_new(r->tool->lists, r->tool->list_count);

	if (!s || !r->layouts[0].count) {
		r->damaged = true;
		snapshot_free(s);
		return NULL;
	}
	s->measured = r->before->measured;
	s->hook_count = r->before->hook_count;
	memcpy(s->hooks, r->before->hooks, sizeof(s->hooks));
	read_item(r, &r->layouts[0], rest, s);
	return s;
}

/* Reads up to the end of a snapshot, or of the last one. Returns NULL at the end of the file. */
static struct snapshot *read_block(struct record_reader *r, bool *last)
{
	struct snapshot *s = NULL;
	char *word, *rest;

	*last = false;
	while (!r->damaged && (word = next_line(r, &rest))) {
		if (r->damaged)
			break;
		if (!s && (!strcmp(word, "snapshot") || !strcmp(word, "last"))) {
			*last = *word == 'l';
			s = begin(r, rest);
		} else if (!s && !strcmp(word, "keys")) {
			read_keys(r, rest);
		} else if (!s && !strcmp(word, "measured")) {
			read_measured(r, rest);
		} else if (!s && !strcmp(word, "hook")) {
			read_hook(r, rest);
		} else if (s && !strcmp(word, "end")) {
			return s;
		} else if (s) {
			read_list_item(r, s, word, rest);
		}
	}
	/* The file ends inside of a snapshot. */
	if (s)
		r->damaged = true;
	snapshot_free(s);
	return NULL;
}

struct snapshot *record_read(struct record_reader *r, struct diag *why)
{
	struct snapshot *s;
	bool last;

	*why = (struct diag){};
	if (r->ended)
		return NULL;
	s = read_block(r, &last);
	if (s && !last && complete(r, s)) {
		diag_set(why, "", "out of memory");
		snapshot_free(s);
		return NULL;
	}
	if (r->damaged)
		diag_set(why, "record it again; the intervals before the damage are valid",
			 "%s is cut off or damaged", r->name);
	r->ended = !s || last;
	if (s && last) {
		snapshot_sort(s);
		r->last = s;
		return NULL;
	}
	if (s) {
		snapshot_free(r->before);
		r->before = snapshot_hold(s);
	}
	return s;
}

struct snapshot *record_read_last(struct record_reader *r, struct diag *why)
{
	struct snapshot *s;

	while ((s = record_read(r, why)))
		snapshot_free(s);
	return snapshot_hold(r->last);
}
