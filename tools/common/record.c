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
#define VERSION	5
/* The first version that has differences. */
#define VERSION_DIFFERENCES	4
#define VERSION_OLDEST	3

#define NO_FIELD (-1)

/*
 * An item that the interval before had as well refers to it by its place in that list, after HERE, and has for each
 * value what was added to it, after MORE, or SAME; or GONE for the whole item. The place is left out if it is the next
 * one after that of the item before. A text that begins like that is escaped.
 */
#define HERE	'@'
#define SAME	'='
#define MORE	'+'
#define GONE	'-'

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

/*
 * A histogram is a list of BUCKET:COUNT, separated by commas. A bucket that is not far from the one before needs neither
 * its number nor the comma: a letter tells how far it is, a for the next one. A count of 1 is left out. Most of a record
 * are histograms, which get shorter by a third like that, compressed ones too.
 */
#define LETTERS	('z' - 'a' + 1)

/* @from is the bucket before, or UINT32_MAX. */
static void write_bucket(FILE *out, uint32_t from, uint32_t bucket, uint64_t count)
{
	if (from == UINT32_MAX)
		fprintf(out, "%u:", bucket);
	else if (bucket - from > LETTERS)
		fprintf(out, ",%u:", bucket);
	else
		fputc('a' + bucket - from - 1, out);
	if (count > 1)
		fprintf(out, "%" PRIu64, count);
}

/* Writes what it has more than @then. */
static void write_histogram(FILE *out, const struct histogram *histogram, const struct histogram *then)
{
	uint32_t from = UINT32_MAX;

	for (uint32_t bucket = histogram->low; bucket < histogram->high; bucket++) {
		uint64_t count = histogram_count(histogram, bucket) - histogram_count(then, bucket);

		if (!count)
			continue;
		write_bucket(out, from, bucket, count);
		from = bucket;
	}
	if (from == UINT32_MAX)
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

static void write_value(FILE *out, const struct field *f, const char *at)
{
	static const struct histogram nothing;

	if (f->type == FIELD_UNSIGNED)
		fprintf(out, "%" PRIu64, load(f, at));
	else if (f->type == FIELD_SIGNED)
		fprintf(out, "%" PRId64, (int64_t)load(f, at));
	else if (f->type == FIELD_HISTOGRAM)
		write_histogram(out, (const void *)at, &nothing);
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

static void write_difference(FILE *out, const struct field *f, const char *at, const char *then)
{
	if (f->type == FIELD_UNSIGNED && load(f, at) > load(f, then)) {
		fprintf(out, "%c%" PRIu64, MORE, load(f, at) - load(f, then));
	} else if (f->type == FIELD_HISTOGRAM && has_grown((const void *)at, (const void *)then)) {
		fputc(MORE, out);
		write_histogram(out, (const void *)at, (const void *)then);
	} else {
		write_value(out, f, at);
	}
}

/* Values at the end that are the same are left out. @place is NULL if it is the next one. */
static void write_change(FILE *out, const struct list_type *type, const void *item, const void *then,
			 const size_t *place)
{
	size_t same = 0;

	fprintf(out, "%s %c", type->word, HERE);
	if (place)
		fprintf(out, "%zu", *place);
	for (const struct field *f = type->fields; f < type->fields + type->field_count; f++) {
		const struct list_type one = { .fields = f, .field_count = 1 };

		if (item_equal(&one, item, then)) {
			same++;
			continue;
		}
		for (; same; same--)
			fprintf(out, " %c", SAME);
		fputc(' ', out);
		write_difference(out, f, (const char *)item + f->at, (const char *)then + f->at);
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

/* Items of VMs go with their VM: a reader keeps none of which the VM is not there. */
static bool is_kept(const struct snapshot *s, const struct list_type *type, const void *item)
{
	return !type->of_vm || snapshot_vm(s, *(const uint64_t *)item);
}

/* A walk through a list of the interval before, whose items a reader knows by their places. */
struct old_items {
	const struct snapshot *before;
	int list;
	size_t at, place;
	size_t next;		/* after the place of the last change */
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
	struct old_items old = { .before = before, .list = list };

	for (size_t i = 0; i < now->lists[list].count; i++) {
		const void *item = snapshot_item(now, list, i), *then;

		write_gone(out, &old, now, item);
		then = old_item(&old);
		if (!then || type->compare(then, item) || !is_kept(before, type, then)) {
			write_item(out, type, type->word, item);
			continue;
		}
		/* The first list tells which VMs there are. */
		if (!list || !item_equal(type, then, item)) {
			write_change(out, type, item, then, old.place == old.next ? NULL : &old.place);
			old.next = old.place + 1;
		}
		skip_old(&old);
	}
	write_gone(out, &old, now, NULL);
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
	int version;
	bool damaged, ended;
	struct gone {
		int list;
		size_t place;	/* in the interval before */
	} *gone;		/* in this interval, in order */
	size_t gone_count;
	uint64_t next[LISTS_MAX];	/* after the place of the last change in this interval */
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

/* Reads which bucket comes after @from. */
static bool read_bucket(char **text, uint64_t from, uint64_t *bucket)
{
	if (**text < 'a' || **text > 'z')
		return read_unsigned(text, H2_BUCKETS - 1, bucket) && *(*text)++ == ':';
	*bucket = from + *(*text)++ - 'a' + 1;
	return *bucket < H2_BUCKETS;
}

/* Adds to what the histogram has. */
static bool read_histogram(char *text, struct histogram *histogram)
{
	__u64 buckets[H2_BUCKETS] = {};
	uint64_t bucket = 0, count;

	if (!strcmp(text, "-"))
		return true;
	for (uint32_t i = histogram->low; i < histogram->high; i++)
		buckets[i] = histogram_count(histogram, i);
	free(histogram->counts);
	*histogram = (struct histogram){};
	/* The first one, and those that are far from the one before, have their number. */
	if (!isdigit((unsigned char)*text))
		return false;
	do {
		count = 1;
		if (!read_bucket(&text, bucket, &bucket) ||
		    (isdigit((unsigned char)*text) && !read_unsigned(&text, UINT64_MAX, &count)))
			return false;
		buckets[bucket] += count;
		if (*text == ',' && !isdigit((unsigned char)*++text))
			return false;
	} while (*text);
	return !histogram_set(histogram, buckets);
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

static bool read_more(const struct field *field, char *text, char *at)
{
	uint64_t most = field->max ?: UINT64_MAX >> (64 - 8 * field->size), then = load(field, at), more;

	if (field->type != FIELD_UNSIGNED || then > most || !read_unsigned(&text, most - then, &more) || *text)
		return false;
	more += then;
	memcpy(at, &more, field->size);
	return true;
}

static void forget_histogram(struct histogram *histogram)
{
	free(histogram->counts);
	*histogram = (struct histogram){};
}

/* The value at @at is that of the interval before, or nothing. */
static bool read_value(const struct field *field, char *text, char *at, bool differs)
{
	if (differs && !strcmp(text, (const char[]){ SAME, '\0' }))
		return true;
	if (differs && *text == MORE && field->type == FIELD_HISTOGRAM)
		return read_histogram(text + 1, (struct histogram *)at);
	if (differs && *text == MORE && field->type == FIELD_UNSIGNED)
		return read_more(field, text + 1, at);
	if (field->type == FIELD_HISTOGRAM)
		forget_histogram((struct histogram *)at);
	switch (field->type) {
	case FIELD_TEXT:
		read_text(text);
		/* Items are compared with all of their bytes. */
		memset(at, 0, field->size);
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

static void read_values(struct record_reader *r, const struct layout *layout, char *rest, void *item, bool differs)
{
	for (size_t i = 0; i < layout->count && !r->damaged && (rest || !differs); i++) {
		char *text = strsep(&rest, " ");
		const struct field *field = &layout->type->fields[layout->fields[i] < 0 ? 0 : layout->fields[i]];

		if (!text || (layout->fields[i] != NO_FIELD &&
			      !read_value(field, text, (char *)item + field->at, differs)))
			r->damaged = true;
	}
	if (rest)
		r->damaged = true;
}

static void read_item(struct record_reader *r, const struct layout *layout, char *rest, void *item)
{
	/* No text is NULL, even if the record does not have its key. */
	for (size_t i = 0; i < layout->type->field_count; i++) {
		const struct field *field = &layout->type->fields[i];

		if (field->type == FIELD_STRING && !(*(char **)((char *)item + field->at) = strdup("")))
			r->damaged = true;
	}
	read_values(r, layout, rest, item, false);
}

/* Reads an item of a list, which may be that of the interval before with some changes. */
static void read_listed(struct record_reader *r, const struct layout *layout, int list, char *rest, void *item)
{
	const struct list *old = &r->before->lists[list];
	uint64_t place = r->next[list];
	char *text = rest;

	if (!rest || *rest != HERE || r->version < VERSION_DIFFERENCES) {
		read_item(r, layout, rest, item);
		return;
	}
	text++;
	if ((isdigit((unsigned char)*text) && !read_unsigned(&text, SIZE_MAX - 1, &place)) ||
	    (*text && *text != ' ') || place >= old->count ||
	    item_copy(layout->type, item, old->items + place * layout->type->size)) {
		r->damaged = true;
		return;
	}
	r->next[list] = place + 1;
	read_values(r, layout, *text ? text + 1 : NULL, item, true);
}

static int compare_gone(const void *a, const void *b)
{
	const struct gone *left = a, *right = b;

	if (left->list != right->list)
		return left->list < right->list ? -1 : 1;
	return (left->place > right->place) - (left->place < right->place);
}

/* They come in order, so that there are not more of them than there were items. */
static bool add_gone(struct record_reader *r, const struct gone *gone)
{
	struct gone *grown;

	if (gone->place >= r->before->lists[gone->list].count ||
	    (r->gone_count && compare_gone(&r->gone[r->gone_count - 1], gone) >= 0))
		return false;
	grown = reallocarray(r->gone, r->gone_count + 1, sizeof(*grown));
	if (!grown)
		return false;
	grown[r->gone_count++] = *gone;
	r->gone = grown;
	return true;
}

/* Returns whether the line says that an item is gone. */
static bool read_gone(struct record_reader *r, int list, const char *rest)
{
	struct gone gone = { .list = list };
	char end[2];

	if (!rest || r->version < VERSION_DIFFERENCES || sscanf(rest, "@%zu %1[-]%1s", &gone.place, end, (char[2]){}) != 2)
		return false;
	r->damaged |= !add_gone(r, &gone);
	return true;
}

static bool is_gone(const struct record_reader *r, int list, size_t place)
{
	const struct gone key = { list, place };

	return r->gone_count && bsearch(&key, r->gone, r->gone_count, sizeof(key), compare_gone);
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

static bool is_known(int version)
{
	return version >= VERSION_OLDEST && version <= VERSION;
}

/* Says whose record it is, if it is one. */
static bool check_magic(struct record_reader *r, struct diag *why)
{
	char *rest, *word = next_line(r, &rest), *version, *tool;

	if (word && !r->damaged && !strcmp(word, MAGIC)) {
		version = strsep(&rest, " ");
		tool = strsep(&rest, " ");
		r->version = version ? atoi(version) : 0;
		if (tool && is_known(r->version) && !strcmp(tool, r->tool->name))
			return true;
		if (tool && is_known(r->version))
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
	free(r->gone);
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

	if (list < 0 || !layout->count || read_gone(r, list, rest))
		return;
	/* What is ever written has limits, so that a damaged file does not use up all memory. */
	item = s->lists[list].count < s->types[list].max ? snapshot_add(s, list) : NULL;
	if (item)
		read_listed(r, layout, list, rest, item);
	else
		r->damaged = true;
}

/* Adds what is as before. Both lists are in order. */
static int merge_list(const struct record_reader *r, struct snapshot *s, int list)
{
	const struct snapshot *before = r->before;
	const struct list_type *type = &s->types[list];
	struct list fresh = s->lists[list];
	size_t then = 0, at = 0;
	int err = 0;

	s->lists[list] = (struct list){};
	while (!err && (at < fresh.count || then < before->lists[list].count)) {
		void *old = snapshot_item(before, list, then), *new = fresh.items + at * type->size, *item;
		int order = at == fresh.count ? -1 :
			    then == before->lists[list].count ? 1 : type->compare(old, new);

		if (order >= 0 && !is_kept(s, type, new)) {
			item_free(type, new);
			at++;
		} else if (order >= 0) {
			item = snapshot_add(s, list);
			if (item)
				memcpy(item, new, type->size);
			err = item ? 0 : -ENOMEM;
			at += item != NULL;
		} else if (!is_gone(r, list, then) && is_kept(s, type, old)) {
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

/* Nothing is twice in an interval, except VMs of which nothing tells them apart. */
static bool has_twins(const struct snapshot *s, int list)
{
	const struct list_type *type = &s->types[list];

	for (size_t i = 1; i < s->lists[list].count; i++) {
		const void *item = snapshot_item(s, list, i), *before = snapshot_item(s, list, i - 1);

		if (!type->compare(before, item) && !item_equal(type, before, item))
			return true;
	}
	return false;
}

static int complete(struct record_reader *r, struct snapshot *s)
{
	int err = 0;

	snapshot_sort(s);
	for (int list = 1; !err && list < s->list_count; list++)
		if (!s->types[list].at_end)
			err = merge_list(r, s, list);
	snapshot_sort(s);
	for (int list = 0; list < s->list_count; list++)
		r->damaged |= has_twins(s, list);
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
	r->gone_count = 0;
	memset(r->next, 0, sizeof(r->next));
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
	if (r->damaged) {
		snapshot_free(s);
		s = NULL;
		diag_set(why, "record it again; the intervals before the damage are valid",
			 "%s is cut off or damaged", r->name);
	}
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
