// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "why_report.h"
#include "json.h"
#include "vm_text.h"
#include "why_holders.h"

#include <inttypes.h>
#include <string.h>

#define PAGE_SHIFT 12

static const char *safe(const char *comm, char text[WHY_COMM_LEN + 1])
{
	char copy[WHY_COMM_LEN + 1] = "";

	memcpy(copy, comm, WHY_COMM_LEN);
	name_clean(text, WHY_COMM_LEN + 1, copy);
	return text;
}

static const char *plural(uint32_t count)
{
	return count == 1 ? "" : "s";
}

static void print_page(FILE *out, const struct vm *vm, const struct why_event *event)
{
	char name[WHY_COMM_LEN + 1], text[VM_TEXT_LEN];

	fprintf(out, "%s: the page at ", vm_text(vm, text));
	if (event->gfn == WHY_NO_GFN)
		fprintf(out, "offset 0x%" PRIx64, (uint64_t)event->pgoff << PAGE_SHIFT);
	else
		fprintf(out, "gpa 0x%" PRIx64 ", offset 0x%" PRIx64,
			(uint64_t)event->gfn << PAGE_SHIFT, (uint64_t)event->pgoff << PAGE_SHIFT);
	fprintf(out, " of the guest_memfd (inode %" PRIu64 "),\n", (uint64_t)event->ino);
	fprintf(out, "could not become private: it is in use. Process %d (%s) got EAGAIN.\n",
		event->asker_pid, safe(event->asker_comm, name));
}

static void print_references(FILE *out, const struct why_event *event)
{
	fprintf(out, "\nReferences to the page: %u\n", event->refs);
	if (event->pins)
		fprintf(out,
			"  %u pin%s: for I/O, such as a registered buffer or direct I/O, or by a device\n",
			event->pins, plural(event->pins));
	if (event->mapped)
		fprintf(out, "  %u mapping%s: a process touched the page during the conversion\n",
			event->mapped, plural(event->mapped));
	if (event->other && event->locked)
		fprintf(out, "  %u other%s: a process's page fault in flight\n", event->other,
			plural(event->other));
	else if (event->other && event->new_page)
		fprintf(out, "  %u other%s: a CPU's list of new pages\n", event->other,
			plural(event->other));
	else if (event->other)
		fprintf(out,
			"  %u other%s: a pipe that has the page, a system call that copies it, or a page fault\n",
			event->other, plural(event->other));
}

static void print_holders(FILE *out, const struct why_event *event, const struct why_mapper *mapper)
{
	struct holders holders;

	holders_find(mapper->pid, mapper->address, &holders);
	if (!holders.read)
		fprintf(out,
			"    its descriptors cannot be read: it has ended, or this process lacks the rights\n");
	if (holders.io_uring_fd != NO_FD)
		fprintf(out, "    has registered it as a buffer with io_uring, descriptor %d\n",
			holders.io_uring_fd);
	if (holders.device_fd != NO_FD && event->pins)
		fprintf(out,
			"    passes memory to a device, descriptor %d, which may have pinned it\n",
			holders.device_fd);
	if (holders.has_pipes && event->other)
		fprintf(out, "    has pipes, one of which may have it\n");
}

static void print_mappers(FILE *out, const struct why_event *event)
{
	char name[WHY_COMM_LEN + 1];

	if (!event->nr_mappers) {
		fprintf(out,
			"\nNo process has the page mapped now: who used it has unmapped it since.\n");
		return;
	}
	fprintf(out,
		"\nProcesses that have mapped the page%s; one of them has probably taken the reference%s:\n",
		event->more_mappers ? ", and there are more" : "", plural(event->refs));
	for (unsigned int i = 0; i < event->nr_mappers && i < WHY_MAX_MAPPERS; i++) {
		const struct why_mapper *mapper = &event->mappers[i];

		if (!mapper->pid) {
			fprintf(out, "  one that has ended, at 0x%" PRIx64 "\n",
				(uint64_t)mapper->address);
			continue;
		}
		fprintf(out, "  %d (%s) at 0x%" PRIx64 "\n", mapper->pid, safe(mapper->comm, name),
			(uint64_t)mapper->address);
		print_holders(out, event, mapper);
	}
}

static void print_next(FILE *out, const struct why_event *event)
{
	fprintf(out, "\nNext:\n");
	if (!event->pins) {
		fprintf(out, "  Convert again: page faults and system calls end by themselves.\n");
		if (event->other && !event->locked && !event->new_page)
			fprintf(out,
				"  If the page is still in use, read it out of the pipe, or close the pipe.\n");
		return;
	}
	fprintf(out,
		"  Let go of the pin%s: wait for the I/O in flight, unregister the buffer from io_uring,\n"
		"  or unmap the page from the device's IOMMU.\n",
		plural(event->pins));
	if (event->other)
		fprintf(out,
			"  If a pipe has the page, too, read it out of the pipe, or close the pipe.\n");
	fprintf(out, "  Then convert again.\n");
}

void why_report_text(FILE *out, const struct vm *vm, const struct why_event *event)
{
	print_page(out, vm, event);
	print_references(out, event);
	print_mappers(out, event);
	print_next(out, event);
}

static void json_fd(struct json *json, const char *key, int fd)
{
	if (fd == NO_FD)
		json_null(json, key);
	else
		json_u64(json, key, fd);
}

static void json_mapper(struct json *json, const struct why_mapper *mapper)
{
	char name[WHY_COMM_LEN + 1];
	struct holders holders;

	holders_find(mapper->pid, mapper->address, &holders);
	json_object(json, NULL);
	if (mapper->pid)
		json_u64(json, "pid", mapper->pid);
	else
		json_null(json, "pid");
	json_string(json, "command", safe(mapper->comm, name));
	json_u64(json, "address", mapper->address);
	json_fd(json, "io_uring_fd", holders.io_uring_fd);
	json_fd(json, "device_fd", holders.device_fd);
	json_bool(json, "has_pipes", holders.has_pipes);
	json_object_end(json);
}

void why_report_json(FILE *out, const struct vm *vm, const struct why_event *event)
{
	struct json json = { .out = out };
	char name[WHY_COMM_LEN + 1];

	json_object(&json, NULL);
	json_vm(&json, vm);
	if (event->gfn == WHY_NO_GFN)
		json_null(&json, "gpa");
	else
		json_u64(&json, "gpa", (uint64_t)event->gfn << PAGE_SHIFT);
	json_u64(&json, "inode", event->ino);
	json_u64(&json, "offset", (uint64_t)event->pgoff << PAGE_SHIFT);
	json_u64(&json, "asker_pid", event->asker_pid);
	json_string(&json, "asker_command", safe(event->asker_comm, name));
	json_u64(&json, "references", event->refs);
	json_u64(&json, "pins", event->pins);
	json_u64(&json, "mapped", event->mapped);
	json_u64(&json, "other", event->other);
	json_bool(&json, "locked", event->locked);
	json_bool(&json, "new_page", event->new_page);
	json_array(&json, "mappers");
	for (unsigned int i = 0; i < event->nr_mappers && i < WHY_MAX_MAPPERS; i++)
		json_mapper(&json, &event->mappers[i]);
	json_array_end(&json);
	json_bool(&json, "more_mappers", event->more_mappers);
	json_object_end(&json);
	json_newline(&json);
}
