// SPDX-License-Identifier: GPL-2.0
/* Reads records. */
#define _GNU_SOURCE
#include "record.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"
#include "record_format.h"
#include "unzip.h"
#include "utf8.h"

/* The first version that has differences. */
#define VERSION_DIFFERENCES	4
#define VERSION_OLDEST	3

#define NO_FIELD (-1)

/* No version of a record will have more for a line. */
#define KEYS_MAX 64

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
	struct {
		int list;		/* -1: not one that we know */
		size_t first, count;	/* the items, in the list */
		struct samples *samples;	/* of each */
	} changed;		/* what columns are about */
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

/* Adds to what the histogram has, and that to @samples. */
static bool read_histogram(char *text, struct histogram *histogram, struct samples *samples)
{
	uint64_t bucket = histogram_start(histogram), count;
	__u64 buckets[H2_BUCKETS] = {};

	if (!strcmp(text, "-"))
		return true;
	for (uint32_t i = histogram->low; i < histogram->high; i++)
		buckets[i] = histogram_count(histogram, i);
	free(histogram->counts);
	*histogram = (struct histogram){};
	do {
		count = 1;
		if (!read_bucket(&text, bucket, &bucket) ||
		    (isdigit((unsigned char)*text) && !read_unsigned(&text, UINT64_MAX, &count)))
			return false;
		buckets[bucket] += count;
		samples_add(samples, bucket, count);
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

/* Versions 4 and 5 have no samples. */
static bool read_more(const struct field *field, char *text, char *at, const struct samples *samples)
{
	uint64_t most = field->max ?: UINT64_MAX >> (64 - 8 * field->size), then = field_number(field, at), more;
	char sign = *text == '+' || *text == '-' ? *text++ : 0;

	if (sign == 0 && *text == SAMPLES) {
		more = samples->count;
		text++;
	} else if (!read_unsigned(&text, UINT64_MAX, &more)) {
		return false;
	}
	if (sign == '+' && __builtin_add_overflow(samples->ns, more, &more))
		return false;
	if (sign == '-' && __builtin_sub_overflow(samples->ns, more, &more))
		return false;
	if (*text || then > most || more > most - then)
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

static bool is_same(const char *text)
{
	return !strcmp(text, (const char[]){ SAME, '\0' });
}

/* The value at @at is that of the interval before, or nothing. */
static bool read_value(const struct field *field, char *text, char *at, bool differs)
{
	struct samples unused = {};

	if (differs && is_same(text))
		return true;
	if (differs && *text == MORE && field->type == FIELD_HISTOGRAM)
		return read_histogram(text + 1, (struct histogram *)at, &unused);
	if (differs && *text == MORE && field->type == FIELD_UNSIGNED)
		return read_more(field, text + 1, at, &unused);
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
		return read_histogram(text, (struct histogram *)at, &unused);
	default:
		return read_number(field, text, at);
	}
}

/* A value of a column. */
static bool read_change(const struct field *field, char *text, char *at, struct samples *samples)
{
	bool can_grow = field->type == FIELD_UNSIGNED || field->type == FIELD_HISTOGRAM;

	if (is_same(text))
		return true;
	if (can_grow && *text == WHOLE)
		return read_value(field, text + 1, at, false);
	if (field->type == FIELD_HISTOGRAM)
		return read_histogram(text, (struct histogram *)at, samples);
	if (field->type == FIELD_UNSIGNED)
		return read_more(field, text, at, samples);
	return read_value(field, text, at, false);
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

static struct layout *layout_of(struct record_reader *r, const char *word)
{
	for (int i = 0; i < 1 + r->tool->list_count; i++)
		if (!strcmp(r->layouts[i].type->word, word))
			return &r->layouts[i];
	return NULL;
}

/* Adds the items from place @from up to @to as they were. They come in order. */
static bool add_changed(struct record_reader *r, struct snapshot *s, uint64_t from, uint64_t to)
{
	int list = r->changed.list;
	const struct list_type *type = &s->types[list];
	const struct list *old = &r->before->lists[list];
	struct samples *grown;

	if (from < r->next[list] || to < from || to >= old->count || to - from >= type->max - s->lists[list].count)
		return false;
	grown = reallocarray(r->changed.samples, r->changed.count + to - from + 1, sizeof(*grown));
	if (!grown)
		return false;
	r->changed.samples = grown;
	for (uint64_t place = from; place <= to; place++) {
		void *item = snapshot_add(s, list);

		if (!item || item_copy(type, item, old->items + place * type->size))
			return false;
		grown[r->changed.count++] = (struct samples){};
	}
	r->next[list] = to + 1;
	return true;
}

/* Reads "FROM" or "FROM-TO". */
static bool read_span(char *text, uint64_t *from, uint64_t *to)
{
	if (!read_unsigned(&text, SIZE_MAX - 1, from))
		return false;
	*to = *from;
	if (*text == '-') {
		text++;
		if (!read_unsigned(&text, SIZE_MAX - 1, to))
			return false;
	}
	return !*text;
}

/* Reads which items have changed. */
static void read_changed(struct record_reader *r, struct snapshot *s, char *rest)
{
	const char *word = strsep(&rest, " ");
	struct layout *layout = word ? layout_of(r, word) : NULL;
	uint64_t from, to;
	char *text;

	r->changed.list = layout ? layout - r->layouts - 1 : -1;
	if (r->changed.list < 0)
		return;
	r->changed.first = s->lists[r->changed.list].count;
	r->changed.count = 0;
	while (!r->damaged && (text = strsep(&rest, " "))) {
		if (!read_span(text, &from, &to) || !add_changed(r, s, from, to))
			r->damaged = true;
	}
}

static void read_column(struct record_reader *r, struct snapshot *s, const char *key, char *rest)
{
	const struct list_type *type = r->changed.list < 0 ? NULL : &s->types[r->changed.list];
	const struct field *field = type ? type->fields : NULL;

	while (field && field < type->fields + type->field_count && strcmp(field->key, key))
		field++;
	if (!field || field == type->fields + type->field_count)
		return;
	for (size_t i = 0; i < r->changed.count && !r->damaged; i++) {
		char *item = snapshot_item(s, r->changed.list, r->changed.first + i), *text = strsep(&rest, " ");

		if (field->type == FIELD_HISTOGRAM)
			r->changed.samples[i] = (struct samples){};
		if (text && !read_change(field, text, item + field->at, &r->changed.samples[i]))
			r->damaged = true;
	}
	r->damaged |= rest != NULL;
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
	free(r->changed.samples);
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
	r->changed.list = -1;
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
		} else if (s && !strcmp(word, CHANGED)) {
			read_changed(r, s, rest);
		} else if (s && *word == COLUMN) {
			read_column(r, s, word + 1, rest);
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
