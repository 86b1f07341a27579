// SPDX-License-Identifier: GPL-2.0
#include "metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"
#include "utf8.h"

#define FIRST_BOUND_BITS	10
#define BOUND_BITS		2	/* each bound is about four times the one before it */
#define PAGE_BYTES		4096
#define NS_PER_S		UINT64_C(1000000000)

/* The labels of the sample that is being written. */
struct labels {
	FILE *out;
	int count;
};

/* A snapshot that is being written. */
struct writer {
	FILE *out;
	const struct metrics_format *format;
	const struct snapshot *s;
	char **vm_labels;	/* of each VM of the first list, which all of its samples begin with; NULL: it has none */
	const char *described;	/* the family whose description has been written */
};

/* A value of this many ns is in this bucket or below it. */
uint64_t metrics_bound_ns(int bound)
{
	return (1ULL << (FIRST_BOUND_BITS + BOUND_BITS * bound)) - 1;
}

static bool is_exported(const struct metrics *metrics, const struct family *family)
{
	return metrics->parts || family->list <= 0;
}

unsigned int metrics_needs(const struct metrics *metrics)
{
	unsigned int needs = 0;

	for (int i = 0; i < metrics->count; i++)
		if (is_exported(metrics, &metrics->families[i]))
			needs |= metrics->families[i].needs;
	return needs;
}

/* --- what a family is, in each format --- */

static const char *unit_of(const struct family *family)
{
	return family->unit == IN_BYTES ? "bytes" : family->unit == IN_SECONDS ? "seconds" : NULL;
}

/* The ending of the names of samples. A histogram has one for each kind of sample. */
static const char *ending_of(const struct family *family)
{
	return family->type == FAMILY_COUNTER ? "_total" : family->type == FAMILY_INFO ? "_info" : "";
}

/* Here a family has the name of its samples, and no type of its own for what only has labels. */
static void describe_text(FILE *out, const struct family *family)
{
	static const char * const types[] = { "counter", "gauge", "gauge", "histogram" };
	const char *ending = ending_of(family);

	fprintf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", family->name, ending, family->help, family->name, ending,
		types[family->type]);
}

static void describe_openmetrics(FILE *out, const struct family *family)
{
	static const char * const types[] = { "counter", "gauge", "info", "histogram" };
	const char *unit = unit_of(family);

	fprintf(out, "# TYPE %s %s\n", family->name, types[family->type]);
	if (unit)
		fprintf(out, "# UNIT %s %s\n", family->name, unit);
	fprintf(out, "# HELP %s %s\n", family->name, family->help);
}

const struct metrics_format metrics_text = {
	"text/plain; version=0.0.4; charset=utf-8", "", describe_text
};
const struct metrics_format metrics_openmetrics = {
	"application/openmetrics-text; version=1.0.0; charset=utf-8", "# EOF\n", describe_openmetrics
};

/* --- labels --- */

void label_add(struct labels *labels, const char *name, const char *text)
{
	FILE *out = labels->out;

	fprintf(out, "%c%s=\"", labels->count++ ? ',' : '{', name);
	while (*text) {
		uint32_t code;
		int bytes = utf8_char(text, &code);

		if (!bytes || utf8_is_control(code)) {
			fputc('?', out);
		} else {
			if (code == '"' || code == '\\')
				fputc('\\', out);
			fwrite(text, bytes, 1, out);
		}
		text += bytes ?: 1;
	}
	fputc('"', out);
}

void label_add_number(struct labels *labels, const char *name, long long number)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", number);
	label_add(labels, name, text);
}

static bool has_number(const struct snapshot_vm *vm)
{
	return vm->id || !vm->creator_tid;
}

static void label_vm(struct labels *labels, const struct snapshot_vm *vm)
{
	char text[48], name[VM_NAME_LEN], sibling[16];
	size_t len;

	if (vm->id)
		snprintf(text, sizeof(text), "%" PRIu64, vm->id);
	else if (vm->creator_tid)
		snprintf(text, sizeof(text), "%d-%d", vm->creator_tid, vm->fd);
	else
		snprintf(text, sizeof(text), "birth-%" PRIu64, vm->birth);
	label_add(labels, "vm", text);

	/* A label must not change when the process gets a second VM. */
	snprintf(name, sizeof(name), "%s", vm->name);
	snprintf(sibling, sizeof(sibling), "#%d", vm->fd);
	len = strlen(name);
	if (vm->fd >= 0 && len > strlen(sibling) && !strcmp(name + len - strlen(sibling), sibling))
		name[len - strlen(sibling)] = '\0';
	label_add(labels, "name", name);
}

/*
 * Without KVM's numbers, a VM that has ended can have the labels of a later one. Two samples with the same labels
 * would make the reader refuse all of them.
 */
static bool has_successor(const struct snapshot *s, const struct snapshot_vm *vm)
{
	for (size_t i = 0; !has_number(vm) && i < s->lists[0].count; i++) {
		const struct snapshot_vm *other = snapshot_item(s, 0, i);

		if (!has_number(other) && other->creator_tid == vm->creator_tid && other->fd == vm->fd && other != vm &&
		    (vm->ended > other->ended || (vm->ended == other->ended && other->birth > vm->birth)))
			return true;
	}
	return false;
}

static char *vm_labels_of(const struct snapshot_vm *vm)
{
	char *text = NULL;
	size_t size;
	struct labels labels = { open_memstream(&text, &size), 0 };

	if (!labels.out)
		return NULL;
	label_vm(&labels, vm);
	if (fclose(labels.out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* Returns 0 or -ENOMEM. */
static int set_vm_labels(struct writer *w, pid_t pid)
{
	size_t count = w->s->lists[0].count;

	w->vm_labels = calloc(count + 1, sizeof(*w->vm_labels));
	for (size_t i = 0; w->vm_labels && i < count; i++) {
		const struct snapshot_vm *vm = snapshot_item(w->s, 0, i);

		if (!vm_is_of(vm, pid) || has_successor(w->s, vm))
			continue;
		w->vm_labels[i] = vm_labels_of(vm);
		if (!w->vm_labels[i])
			return -ENOMEM;
	}
	return w->vm_labels ? 0 : -ENOMEM;
}

static void free_vm_labels(struct writer *w)
{
	for (size_t i = 0; w->vm_labels && i < w->s->lists[0].count; i++)
		free(w->vm_labels[i]);
	free(w->vm_labels);
}

/* --- samples --- */

/* Begins a sample with its name and its labels, of which more may follow. */
static struct labels begin(const struct writer *w, const struct family *family, const char *ending,
			   const char *vm_labels, const void *item)
{
	struct labels labels = { w->out, *vm_labels != '\0' };

	fprintf(w->out, "%s%s%s", family->name, ending, vm_labels);
	if (family->label)
		label_add(&labels, family->label, family->label_value);
	if (family->labels)
		family->labels(&labels, w->s, item);
	return labels;
}

static void end(struct labels labels, uint64_t value)
{
	fprintf(labels.out, "%s %" PRIu64 "\n", labels.count ? "}" : "", value);
}

static void end_in_unit(struct labels labels, const struct family *family, uint64_t value)
{
	if (family->unit == IN_SECONDS)
		fprintf(labels.out, "%s %" PRIu64 ".%09" PRIu64 "\n", labels.count ? "}" : "", value / NS_PER_S,
			value % NS_PER_S);
	else
		end(labels, family->unit == IN_BYTES ? value * PAGE_BYTES : value);
}

/* A bound is where buckets of the histogram meet, so that the counts below it are exact. */
static void write_histogram(const struct writer *w, const struct family *family, const char *vm_labels,
			    const void *item)
{
	const struct histogram *histogram = (const void *)((const char *)item + family->at);
	uint32_t bucket = 0;
	uint64_t seen = 0;

	for (int bound = 0; bound <= METRICS_BOUNDS; bound++) {
		uint32_t limit = bound < METRICS_BOUNDS ? h2_bucket(metrics_bound_ns(bound)) + 1 : H2_BUCKETS;
		struct labels labels = begin(w, family, "_bucket", vm_labels, item);
		char text[32] = "+Inf";

		for (; bucket < limit; bucket++)
			seen += histogram_count(histogram, bucket);
		/* As Prometheus 3 would rewrite it, so that all versions have the same series. */
		if (bound < METRICS_BOUNDS)
			snprintf(text, sizeof(text), "%.10g", metrics_bound_ns(bound) / (double)NS_PER_S);
		label_add(&labels, "le", text);
		end(labels, seen);
	}
	end_in_unit(begin(w, family, "_sum", vm_labels, item), family,
		    *(const uint64_t *)((const char *)item + family->sum_at));
	end(begin(w, family, "_count", vm_labels, item), seen);
}

static void write_sample(struct writer *w, const struct family *family, const char *vm_labels, const void *item)
{
	uint64_t value = 1;

	if (family->value && !family->value(w->s, item, &value))
		return;
	if (!family->value && family->type != FAMILY_INFO && family->type != FAMILY_HISTOGRAM)
		value = *(const uint64_t *)((const char *)item + family->at);
	/* A family without a sample is not described. */
	if (!w->described || strcmp(w->described, family->name) != 0)
		w->format->describe(w->out, family);
	w->described = family->name;
	if (family->type == FAMILY_HISTOGRAM)
		write_histogram(w, family, vm_labels, item);
	else
		end_in_unit(begin(w, family, ending_of(family), vm_labels, item), family, value);
}

/* Returns the labels of the VM that the item is of, or NULL if that VM is not exported. */
static const char *labels_of_owner(const struct writer *w, int list, const void *item)
{
	const struct snapshot_vm *vm = list ? snapshot_vm(w->s, *(const uint64_t *)item) : item;

	return vm ? w->vm_labels[((const char *)vm - w->s->lists[0].items) / w->s->types[0].size] : NULL;
}

static void write_family(struct writer *w, const struct family *family)
{
	if (family->needs & (~w->s->measured | w->s->unwanted))
		return;
	if (family->list == OF_SNAPSHOT) {
		write_sample(w, family, "", w->s);
		return;
	}
	for (size_t i = 0; i < w->s->lists[family->list].count; i++) {
		const void *item = snapshot_item(w->s, family->list, i);
		const char *vm_labels = labels_of_owner(w, family->list, item);

		if (vm_labels)
			write_sample(w, family, vm_labels, item);
	}
}

int metrics_write(FILE *out, const struct metrics_format *format, const struct metrics *metrics,
		  const struct snapshot *s)
{
	struct writer w = { .out = out, .format = format, .s = s };
	int err = set_vm_labels(&w, metrics->pid);

	for (int i = 0; !err && i < metrics->count; i++)
		if (is_exported(metrics, &metrics->families[i]))
			write_family(&w, &metrics->families[i]);
	if (!err)
		fputs(format->last_line, out);
	free_vm_labels(&w);
	return err;
}
