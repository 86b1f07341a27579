/* SPDX-License-Identifier: GPL-2.0 */
/* A line of what perf script prints of KVM's events. */
#ifndef RECORDING_H
#define RECORDING_H

#include <stdbool.h>
#include <stdint.h>

enum recorded {
	RECORDED_NOTHING,	/* the line is not an event of KVM, or cannot be read */
	RECORDED_OTHER,		/* an event that no replay needs */
	RECORDED_CONVERSION,	/* kvm:kvm_memattr_convert */
	RECORDED_FAULT,		/* kvm:kvm_stage2_fault */
};

#define UNKNOWN_VCPU UINT32_MAX

struct recorded_event {
	int64_t time_ns;
	uint64_t vm_id;
	uint64_t tid;
	uint32_t vcpu;		/* of a conversion: by the name of the thread; UNKNOWN_VCPU: it tells none */
	uint64_t gpa;		/* of the page */
	uint64_t pages;		/* 0: of a guest_memfd that no memslot maps there */
	bool private;		/* what the pages become, or how the guest accessed the page */
	bool was_private;	/* one of the pages, at least */
	bool write;
	bool done;		/* converted, or mapped */
};

/* @line ends with a zero. Fills in @event for conversions and faults only. */
enum recorded recorded_parse(const char *line, struct recorded_event *event);

#endif
