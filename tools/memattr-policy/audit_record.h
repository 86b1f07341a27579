/* SPDX-License-Identifier: GPL-2.0 */
/* Writes audited events as lines of text or of JSON. */
#ifndef MEMATTR_AUDIT_RECORD_H
#define MEMATTR_AUDIT_RECORD_H

#include "audit_event.h"
#include "exit_kinds.h"
#include "vm.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct audit_record {
	FILE *out;
	bool json;
	/* CLOCK_REALTIME minus CLOCK_MONOTONIC; events have their times by the latter. */
	int64_t wall_ns;
	struct exit_kinds exit_kinds;
};

/* Compares the clocks again: CLOCK_REALTIME may have been set. */
void audit_record_sync(struct audit_record *record);

/* @vm is the only VM that is recorded, or NULL if all VMs are. */
void audit_record_start(const struct audit_record *record, const struct vm *vm);
void audit_record_convert(const struct audit_record *record, const struct vm *vm,
			  const struct audit_convert *convert);
void audit_record_exit(const struct audit_record *record, const struct vm *vm,
		       const struct audit_exit *exit);
void audit_record_lost(const struct audit_record *record, uint64_t events);
void audit_record_end(const struct audit_record *record, uint64_t recorded, uint64_t lost);

#endif
