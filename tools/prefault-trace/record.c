// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "record.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The number is incremented when a reader of the previous version would misread the record. */
#define HEADER "prefault-trace record 2\n"

static void write_kind(FILE *file, const struct trace_kind *kind)
{
	fprintf(file, " %u %u %u %u %d %u %u", kind->event, kind->alias, kind->level, kind->access,
		kind->result, kind->prefaulted, kind->reason);
}

static void write_vm(FILE *file, const struct snapshot_vm *vm)
{
	fprintf(file, "vm %" PRIu64 " %d %d %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\t%s\n",
		vm->birth, vm->pid, vm->fd, vm->ended, vm->use.time_ns, vm->use.prefaulted,
		vm->use.unused, vm->use.untouched, vm->name);
}

static void write_series(FILE *file, const struct snapshot_series *series)
{
	fprintf(file, "series %" PRIu64 " %u", series->birth, series->vcpu);
	write_kind(file, &series->kind);
	fprintf(file, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, series->count,
		series->ns, series->max_ns, series->pages, series->done_pages);
	/* Most buckets are empty. */
	for (int i = 0; i < H2_BUCKETS; i++)
		if (series->latency[i])
			fprintf(file, " %d:%llu", i, (unsigned long long)series->latency[i]);
	fputc('\n', file);
}

int record_write_header(FILE *file)
{
	return fputs(HEADER, file) < 0 || fflush(file) ? -errno : 0;
}

int record_write(FILE *file, const struct snapshot *s)
{
	fprintf(file, "snapshot %" PRIu64 " %lld %u %" PRIu64 " %" PRIu64 " %d %" PRIu64 " %" PRIu64
		" %d %zu %zu %zu %zu\n", s->time_ns, (long long)s->wall, s->measured,
		s->lost_events, s->lost_stacks, s->cost.known, s->cost.ns, s->cost.runs, s->folded,
		s->vm_count, s->series_count, s->slow_count, s->stack_count);
	for (int i = 0; i < METRIC_COUNT; i++)
		fprintf(file, "hook\t%s\t%s\t%s\n", s->hooks[i].metric, s->hooks[i].hook,
			s->hooks[i].note);
	for (size_t i = 0; i < s->vm_count; i++)
		write_vm(file, &s->vms[i]);
	for (size_t i = 0; i < s->series_count; i++)
		write_series(file, &s->series[i]);
	for (size_t i = 0; i < s->slow_count; i++) {
		const struct snapshot_slow *slow = &s->slow[i];

		fprintf(file, "slow %" PRIu64 " %" PRIu64 " %d %u", slow->ns, slow->gpa, slow->pid,
			slow->vcpu);
		write_kind(file, &slow->kind);
		fprintf(file, "\t%s\t%s\n", slow->name, slow->frames);
	}
	for (size_t i = 0; i < s->stack_count; i++)
		fprintf(file, "stack %" PRIu64 " %" PRIu64 " %d\t%s\n", s->stacks[i].count,
			s->stacks[i].ns, s->stacks[i].pid, s->stacks[i].folded);
	return fputs("end\n", file) < 0 || fflush(file) ? -errno : 0;
}

/* A reader's place in the file. */
struct reader {
	FILE *file;
	char *line;
	size_t size;
	char *at;	/* the unread rest of the line */
	bool damaged;
};

/* Returns false at the end of the file. */
static bool next_line(struct reader *r)
{
	ssize_t len = getline(&r->line, &r->size, r->file);

	if (len < 0)
		return false;
	/* A line without a newline was cut off. */
	if (r->line[len - 1] != '\n')
		r->damaged = true;
	else
		r->line[len - 1] = '\0';
	r->at = r->line;
	return true;
}

static void expect_line(struct reader *r, const char *word)
{
	size_t len = strlen(word);

	if (r->damaged)
		return;
	if (!next_line(r) || strncmp(r->line, word, len) || isalnum((unsigned char)r->line[len]))
		r->damaged = true;
	else
		r->at = r->line + len;
}

/* Reads a number after a blank; strtoull() itself would accept much more. */
static uint64_t read_number(struct reader *r, uint64_t max)
{
	uint64_t number;

	if (r->damaged || *r->at != ' ' || !isdigit((unsigned char)r->at[1])) {
		r->damaged = true;
		return 0;
	}
	errno = 0;
	number = strtoull(r->at + 1, &r->at, 10);
	if (errno || number > max)
		r->damaged = true;
	return r->damaged ? 0 : number;
}

static int32_t read_signed(struct reader *r)
{
	int sign = 1;

	if (!r->damaged && *r->at == ' ' && r->at[1] == '-') {
		*++r->at = ' ';
		sign = -1;
	}
	return sign * (int32_t)read_number(r, INT32_MAX);
}

/* Reads the next field, which begins with a tab. The caller frees it. Returns NULL if damaged. */
static char *read_text(struct reader *r)
{
	char *text;
	size_t len;

	if (r->damaged || *r->at != '\t') {
		r->damaged = true;
		return NULL;
	}
	len = strcspn(++r->at, "\t");
	text = strndup(r->at, len);
	r->at += len;
	if (!text)
		r->damaged = true;
	/* The text goes to a terminal: it must not have control characters. */
	for (char *c = text; c && *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	return text;
}

static void copy_text(struct reader *r, char *to, size_t size)
{
	char *text = read_text(r);

	snprintf(to, size, "%s", text ?: "");
	free(text);
}

static struct trace_kind read_kind(struct reader *r)
{
	struct trace_kind kind = {};

	kind.event = read_number(r, EVENT_WINDOW);
	kind.alias = read_number(r, ALIAS_UNKNOWN);
	kind.level = read_number(r, 3);
	kind.access = read_number(r, ACCESS_UNKNOWN);
	kind.result = read_signed(r);
	kind.prefaulted = read_number(r, 1);
	kind.reason = read_number(r, REASON_IOCTL);
	return kind;
}

static void read_vm(struct reader *r, struct snapshot_vm *vm)
{
	expect_line(r, "vm");
	vm->birth = read_number(r, UINT64_MAX);
	vm->pid = read_number(r, INT32_MAX);
	vm->fd = read_signed(r);
	vm->ended = read_number(r, 1);
	vm->use.time_ns = read_number(r, UINT64_MAX);
	vm->use.prefaulted = read_number(r, UINT64_MAX);
	vm->use.unused = read_number(r, UINT64_MAX);
	vm->use.untouched = read_number(r, UINT64_MAX);
	copy_text(r, vm->name, sizeof(vm->name));
}

static void read_series(struct reader *r, struct snapshot_series *series)
{
	expect_line(r, "series");
	series->birth = read_number(r, UINT64_MAX);
	series->vcpu = read_number(r, UINT32_MAX);
	series->kind = read_kind(r);
	series->count = read_number(r, UINT64_MAX);
	series->ns = read_number(r, UINT64_MAX);
	series->max_ns = read_number(r, UINT64_MAX);
	series->pages = read_number(r, UINT64_MAX);
	series->done_pages = read_number(r, UINT64_MAX);
	while (!r->damaged && *r->at) {
		uint64_t bucket = read_number(r, H2_BUCKETS - 1);

		if (r->damaged || *r->at != ':') {
			r->damaged = true;
			return;
		}
		*r->at = ' ';
		series->latency[bucket] = read_number(r, UINT64_MAX);
	}
}

static void read_slow(struct reader *r, struct snapshot_slow *slow)
{
	expect_line(r, "slow");
	slow->ns = read_number(r, UINT64_MAX);
	slow->gpa = read_number(r, UINT64_MAX);
	slow->pid = read_number(r, INT32_MAX);
	slow->vcpu = read_number(r, UINT32_MAX);
	slow->kind = read_kind(r);
	copy_text(r, slow->name, sizeof(slow->name));
	slow->frames = read_text(r);
}

static void read_stack(struct reader *r, struct snapshot_stack *stack)
{
	expect_line(r, "stack");
	stack->count = read_number(r, UINT64_MAX);
	stack->ns = read_number(r, UINT64_MAX);
	stack->pid = read_number(r, INT32_MAX);
	stack->folded = read_text(r);
}

static void read_hook(struct reader *r, struct snapshot_hook *hook)
{
	expect_line(r, "hook");
	copy_text(r, hook->metric, sizeof(hook->metric));
	copy_text(r, hook->hook, sizeof(hook->hook));
	copy_text(r, hook->note, sizeof(hook->note));
}

/* Reads the rest of a snapshot whose first line has been read. */
static int read_snapshot(struct reader *r, struct snapshot *s)
{
	size_t vms, series, slow, stacks;

	r->at = r->line + strlen("snapshot");
	s->time_ns = read_number(r, UINT64_MAX);
	s->wall = read_number(r, INT64_MAX);
	s->measured = read_number(r, UINT32_MAX);
	s->lost_events = read_number(r, UINT64_MAX);
	s->lost_stacks = read_number(r, UINT64_MAX);
	s->cost.known = read_number(r, 1);
	s->cost.ns = read_number(r, UINT64_MAX);
	s->cost.runs = read_number(r, UINT64_MAX);
	s->folded = read_number(r, 1);
	/* These limits of what is ever written keep a damaged file from using up all memory. */
	vms = read_number(r, VM_SLOTS);
	series = read_number(r, TRACE_SERIES_MAX);
	slow = read_number(r, TRACE_SLOW);
	stacks = read_number(r, TRACE_STACKS);
	if (r->damaged)
		return -EINVAL;
	s->vms = calloc(vms + 1, sizeof(*s->vms));
	s->series = calloc(series + 1, sizeof(*s->series));
	s->slow = calloc(slow + 1, sizeof(*s->slow));
	s->stacks = calloc(stacks + 1, sizeof(*s->stacks));
	if (!s->vms || !s->series || !s->slow || !s->stacks)
		return -ENOMEM;

	for (int i = 0; i < METRIC_COUNT; i++)
		read_hook(r, &s->hooks[i]);
	while (!r->damaged && s->vm_count < vms)
		read_vm(r, &s->vms[s->vm_count++]);
	while (!r->damaged && s->series_count < series)
		read_series(r, &s->series[s->series_count++]);
	while (!r->damaged && s->slow_count < slow)
		read_slow(r, &s->slow[s->slow_count++]);
	while (!r->damaged && s->stack_count < stacks)
		read_stack(r, &s->stacks[s->stack_count++]);
	expect_line(r, "end");
	qsort(s->series, s->series_count, sizeof(*s->series), snapshot_compare_series);
	return r->damaged ? -EINVAL : 0;
}

int record_read_header(FILE *file)
{
	char line[sizeof(HEADER)];

	if (!fgets(line, sizeof(line), file) || strcmp(line, HEADER))
		return -EINVAL;
	return 0;
}

int record_read(FILE *file, struct snapshot **snapshot)
{
	struct reader r = { .file = file };
	struct snapshot *s = NULL;
	int err = 0;

	*snapshot = NULL;
	if (next_line(&r)) {
		s = calloc(1, sizeof(*s));
		if (!s)
			err = -ENOMEM;
		else if (r.damaged || strncmp(r.line, "snapshot ", 9))
			err = -EINVAL;
		else
			err = read_snapshot(&r, s);
	}
	free(r.line);
	if (err) {
		snapshot_free(s);
		s = NULL;
	}
	*snapshot = s;
	return err;
}
