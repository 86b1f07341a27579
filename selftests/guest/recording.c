// SPDX-License-Identifier: GPL-2.0
/*
 * Reads a line like these, whose fields the tracepoints in include/trace/events/kvm.h print:
 *
 *	CPU 0/KVM   103 [000]     8.416977:    kvm:kvm_stage2_fault: vm_id 7 vm_pid 98 vcpu 0 gpa 0x...
 *	CPU 0/KVM   103 [000]     8.421234: kvm:kvm_memattr_convert: vm_id 7 vm_pid 98 gfns [0x..., 0x...) ...
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-abi.h"
#include "recording.h"

#define EVENT_PREFIX	" kvm:"
#define NS_DIGITS	9
#define NS_PER_S	1000000000ull
#define TIME_MAX_S	(INT64_MAX / NS_PER_S - 1)
#define GFN_MAX		(1ull << 40)	/* no guest has gpas of more than 52 bits */
#define ATTRIBUTE_PRIVATE	(1ull << 3)	/* KVM_MEMORY_ATTRIBUTE_PRIVATE */
#define FAULT_FIXED	5		/* KVM's RET_PF_FIXED: the fault has mapped something */

/* Bits of a fault's error code, as KVM has them: PFERR_WRITE_MASK, PFERR_PRIVATE_ACCESS. */
#define ERROR_WRITE	(1ull << 1)
#define ERROR_PRIVATE	(1ull << 49)

/* Reads a number without a sign, in C's notation, and moves @text past it. */
static bool take_number(const char **text, uint64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	*number = strtoull(*text, &end, 0);
	*text = end;
	return !errno;
}

static bool take_word(const char **text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*text, word, len))
		return false;
	*text += len;
	return true;
}

/* Moves @text past @name, wherever it is. */
static bool find_field(const char **text, const char *name)
{
	*text = strstr(*text, name);
	if (*text)
		*text += strlen(name);
	return *text;
}

static bool number_field(const char *fields, const char *name, uint64_t *number)
{
	return find_field(&fields, name) && take_number(&fields, number);
}

/* A thread's name may look like an event's: the last one is the event. */
static const char *find_event(const char *line)
{
	const char *event = NULL;

	for (line = strstr(line, EVENT_PREFIX); line; line = strstr(line + 1, EVENT_PREFIX))
		event = line;
	return event;
}

static const char *skip_back(const char *line, const char *at, const char *characters)
{
	while (at > line && strchr(characters, at[-1]))
		at--;
	return at;
}

/* "8.416977:" ends at @end. perf has six digits, or nine. */
static const char *read_time(const char *line, const char *end, int64_t *time_ns)
{
	const char *start, *at;
	uint64_t seconds, fraction = 0;
	int digits = 0;

	if (end == line || *--end != ':')
		return NULL;
	start = skip_back(line, end, "0123456789.");
	at = start;
	errno = 0;
	seconds = strtoull(at, (char **)&at, 10);
	if (at == start || errno || seconds > TIME_MAX_S || *at++ != '.')
		return NULL;
	for (; at < end && digits < NS_DIGITS && isdigit((unsigned char)*at); at++, digits++)
		fraction = fraction * 10 + (*at - '0');
	if (at != end || !digits)
		return NULL;
	for (; digits < NS_DIGITS; digits++)
		fraction *= 10;
	*time_ns = (int64_t)(seconds * NS_PER_S + fraction);
	return start;
}

/* The thread's name, its number, maybe "[CPU]", and the time, which ends at @end. */
static bool read_head(const char *line, const char *end, struct recorded_event *event)
{
	const char *at = read_time(line, skip_back(line, end, " \t"), &event->time_ns);
	unsigned int vcpu;
	int len = 0;

	if (!at)
		return false;
	at = skip_back(line, at, " \t");
	if (at > line && at[-1] == ']')
		at = skip_back(line, skip_back(line, at, "[0123456789]"), " \t");
	at = skip_back(line, at, "0123456789");
	if (!take_number(&at, &event->tid))
		return false;
	/* QEMU, memattr-guest and others call the threads of vCPUs so. */
	sscanf(line, " CPU %9u/KVM%n", &vcpu, &len);
	event->vcpu = len ? vcpu : UNKNOWN_VCPU;
	return true;
}

static bool read_conversion(const char *fields, struct recorded_event *event)
{
	const char *gfns = fields, *attributes = fields, *ret = fields;
	uint64_t start, end, old, new, error;

	if (!find_field(&gfns, " gfns [") || !take_number(&gfns, &start) || !take_word(&gfns, ", ") ||
	    !take_number(&gfns, &end) || start > end || end > GFN_MAX)
		return false;
	if (!find_field(&attributes, " attributes ") || !take_number(&attributes, &old) ||
	    !take_word(&attributes, " -> ") || !take_number(&attributes, &new))
		return false;
	if (!find_field(&ret, " ret "))
		return false;
	event->gpa = start * GUEST_PAGE_SIZE;
	event->pages = end - start;
	event->private = new & ATTRIBUTE_PRIVATE;
	event->was_private = old & ATTRIBUTE_PRIVATE;
	event->write = false;
	/* An error has a sign. */
	event->done = take_number(&ret, &error) && !error;
	return true;
}

static bool read_fault(const char *fields, struct recorded_event *event)
{
	uint64_t gpa, vcpu, error_code, ret;

	if (!number_field(fields, " gpa ", &gpa) || !number_field(fields, " vcpu ", &vcpu) ||
	    !number_field(fields, " error_code ", &error_code) || !strstr(fields, " ret ") ||
	    gpa / GUEST_PAGE_SIZE > GFN_MAX || vcpu >= UNKNOWN_VCPU)
		return false;
	event->vcpu = vcpu;
	event->gpa = gpa / GUEST_PAGE_SIZE * GUEST_PAGE_SIZE;
	event->pages = 1;
	event->private = error_code & ERROR_PRIVATE;
	event->was_private = event->private;
	event->write = error_code & ERROR_WRITE;
	event->done = number_field(fields, " ret ", &ret) && ret == FAULT_FIXED;
	return true;
}

enum recorded recorded_parse(const char *line, struct recorded_event *event)
{
	const char *name = find_event(line), *fields;
	enum recorded recorded = RECORDED_OTHER;

	if (!name || !read_head(line, name, event))
		return RECORDED_NOTHING;
	fields = name + strlen(EVENT_PREFIX);
	if (take_word(&fields, "kvm_memattr_convert:"))
		recorded = read_conversion(fields, event) ? RECORDED_CONVERSION : RECORDED_NOTHING;
	else if (take_word(&fields, "kvm_stage2_fault:"))
		recorded = read_fault(fields, event) ? RECORDED_FAULT : RECORDED_NOTHING;
	if (recorded > RECORDED_OTHER && !number_field(fields, " vm_id ", &event->vm_id))
		return RECORDED_NOTHING;
	return recorded;
}
