// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "audit_record.h"
#include "json.h"
#include "vm_text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000LL
#define PAGE_SHIFT 12

#ifndef KVM_MEMORY_ATTRIBUTE_PRIVATE
#define KVM_MEMORY_ATTRIBUTE_PRIVATE (1ULL << 3)
#endif

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

void audit_record_sync(struct audit_record *record)
{
	record->wall_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
}

/* Formats a time as ISO 8601, in UTC. */
static const char *time_text(const struct audit_record *record, int64_t ns, char *text, size_t size)
{
	int64_t wall_ns = ns + record->wall_ns;
	time_t seconds = wall_ns / NSEC_PER_SEC;
	char date[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, size, "%s.%06dZ", date, (int)(wall_ns % NSEC_PER_SEC / 1000));
	return text;
}

static const char *result_text(int ret, char *text, size_t size)
{
	if (!ret)
		return "ok";
	if (strerrorname_np(-ret))
		return strerrorname_np(-ret);
	snprintf(text, size, "%d", ret);
	return text;
}

/* The kernel ends its texts with a NUL. Do not depend on it. */
static void copy_text(char *to, const char *from, size_t size)
{
	char text[AUDIT_TEXT_LEN + 1] = "";

	memcpy(text, from, size);
	name_clean(to, size + 1, text);
}

static void json_begin(struct json *json, const struct audit_record *record, int64_t ns,
		       const char *event)
{
	char text[64];

	json->out = record->out;
	json_object(json, NULL);
	json_string(json, "time", time_text(record, ns, text, sizeof(text)));
	json_string(json, "event", event);
}

static void json_end(struct json *json)
{
	json_object_end(json);
	json_newline(json);
}

static void text_begin(const struct audit_record *record, int64_t ns)
{
	char text[64];

	fprintf(record->out, "%s ", time_text(record, ns, text, sizeof(text)));
}

void audit_record_start(const struct audit_record *record, const struct vm *vm)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC);
	struct json json = {};
	char text[VM_TEXT_LEN];

	if (record->json) {
		json_begin(&json, record, now, "start");
		if (vm)
			json_vm(&json, vm);
		json_end(&json);
		return;
	}
	text_begin(record, now);
	fprintf(record->out, "start: %s\n", scope_text(vm, text));
}

static const char *convert_event(const struct audit_convert *convert)
{
	if (convert->verdict)
		return "refused";
	return convert->ret ? "failed" : "converted";
}

static uint64_t requested_pages(const struct audit_convert *convert)
{
	return convert->ino ? convert->pgoff_end - convert->pgoff_start :
			      convert->gfn_end - convert->gfn_start;
}

static const char *direction(const struct audit_convert *convert)
{
	return convert->attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE ? "private" : "shared";
}

static void json_place(struct json *json, const struct audit_convert *convert)
{
	if (convert->gfn_end)
		json_u64(json, "gpa", convert->gfn_start << PAGE_SHIFT);
	else
		json_null(json, "gpa");
	if (convert->ino) {
		json_u64(json, "inode", convert->ino);
		json_u64(json, "offset", convert->pgoff_start << PAGE_SHIFT);
	} else {
		json_null(json, "inode");
		json_null(json, "offset");
	}
}

static void convert_json(const struct audit_record *record, const struct vm *vm,
			 const struct audit_convert *convert, const char *policy, const char *result)
{
	uint64_t pages = requested_pages(convert);
	struct json json = {};

	json_begin(&json, record, convert->event.ns, convert_event(convert));
	json_vm(&json, vm);
	json_string(&json, "direction", direction(convert));
	json_place(&json, convert);
	json_u64(&json, "bytes", pages << PAGE_SHIFT);
	json_u64(&json, "pages", pages);
	json_u64(&json, "effective_pages", convert->effective_pages);
	json_string(&json, "result", result);
	if (policy[0])
		json_string(&json, "policy", policy);
	else
		json_null(&json, "policy");
	json_u64(&json, "policy_ns", convert->policy_ns);
	json_end(&json);
}

static void convert_text(const struct audit_record *record, const struct vm *vm,
			 const struct audit_convert *convert, const char *policy, const char *result)
{
	uint64_t pages = requested_pages(convert);
	FILE *out = record->out;
	char text[VM_TEXT_LEN];

	text_begin(record, convert->event.ns);
	fprintf(out, "%s %s %s ", vm_text(vm, text), convert_event(convert), direction(convert));
	if (convert->gfn_end)
		fprintf(out, "0x%" PRIx64 "-0x%" PRIx64, (uint64_t)convert->gfn_start << PAGE_SHIFT,
			(uint64_t)convert->gfn_end << PAGE_SHIFT);
	else
		fprintf(out, "unmapped");
	fprintf(out, " %" PRIu64 " bytes %" PRIu64 " pages", pages << PAGE_SHIFT, pages);
	if (convert->ino)
		fprintf(out, " in place at offset 0x%" PRIx64,
			(uint64_t)convert->pgoff_start << PAGE_SHIFT);
	if (!convert->ret)
		fprintf(out, ", effective %" PRIu64, (uint64_t)convert->effective_pages);
	fprintf(out, ": %s", result);
	if (convert->ino && convert->ret == -EAGAIN && !convert->verdict)
		fprintf(out, ", a page is in use");
	if (policy[0])
		fprintf(out, "%s%s", convert->verdict ? " by " : " under ", policy);
	fputc('\n', out);
}

void audit_record_convert(const struct audit_record *record, const struct vm *vm,
			  const struct audit_convert *convert)
{
	char policy[AUDIT_POLICY_LEN + 1], text[16];
	const char *result = result_text(convert->ret, text, sizeof(text));

	copy_text(policy, convert->policy, AUDIT_POLICY_LEN);
	if (record->json)
		convert_json(record, vm, convert, policy, result);
	else
		convert_text(record, vm, convert, policy, result);
}

void audit_record_exit(const struct audit_record *record, const struct vm *vm,
		       const struct audit_exit *exit)
{
	char policy[AUDIT_POLICY_LEN + 1], text[AUDIT_TEXT_LEN + 1], name[VM_TEXT_LEN];
	const char *kind = exit_kinds_name(&record->exit_kinds, exit->kind) ?: "unknown";
	struct json json = {};

	copy_text(policy, exit->policy, AUDIT_POLICY_LEN);
	copy_text(text, exit->text, AUDIT_TEXT_LEN);
	if (record->json) {
		json_begin(&json, record, exit->event.ns, "exit");
		json_vm(&json, vm);
		json_string(&json, "policy", policy);
		json_string(&json, "kind", kind);
		json_s64(&json, "code", exit->code);
		json_string(&json, "text", text);
		json_end(&json);
		return;
	}

	text_begin(record, exit->event.ns);
	fprintf(record->out, "%s left %s: %s %" PRId64 ": %s\n", vm_text(vm, name), policy, kind,
		(int64_t)exit->code, text);
}

void audit_record_lost(const struct audit_record *record, uint64_t events)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC);
	struct json json = {};

	if (record->json) {
		json_begin(&json, record, now, "lost");
		json_u64(&json, "events", events);
		json_end(&json);
		return;
	}
	text_begin(record, now);
	fprintf(record->out, "lost: %" PRIu64 " events, for which the ring had no room\n", events);
}

void audit_record_end(const struct audit_record *record, uint64_t recorded, uint64_t lost)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC);
	struct json json = {};

	if (record->json) {
		json_begin(&json, record, now, "end");
		json_u64(&json, "recorded", recorded);
		json_u64(&json, "lost", lost);
		json_end(&json);
		return;
	}
	text_begin(record, now);
	fprintf(record->out, "end: %" PRIu64 " events recorded, %" PRIu64 " lost\n", recorded, lost);
}
