/* SPDX-License-Identifier: GPL-2.0 */
/*
 * --replay: what perf has recorded of a VM becomes the steps of this one. The recording is read
 * twice: once to learn the VM's layout, and then, while the VM runs, as far ahead of it as the
 * queues of the vCPUs have room.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct options;
struct replay;
struct vcpu;
struct vm;

/* Lines of the recording. All members are of type uint64_t. */
struct replay_counts {
	uint64_t lines;
	uint64_t conversions;		/* these two become steps */
	uint64_t touches;
	uint64_t by_no_vcpu;		/* conversions among these that vCPU 0 does for another thread */
	/* What is not replayed. */
	uint64_t failed_conversions;
	uint64_t unmapped_faults;
	uint64_t outside_events;	/* other memory, or a vCPU with too high a number */
	uint64_t other_vm_events;
	uint64_t other_events;
	uint64_t unreadable_lines;
};

/*
 * Reads the recording, and sets the memory and the vCPUs in @opt. Like all that follow here but
 * replay_end(), it returns 0, or -1 after vm_fail().
 */
int replay_open(struct vm *vm, struct options *opt);

/* Whether the memory's first pages are shared then, and so probably most of them. */
bool replay_starts_shared(const struct replay *replay);
/* Gives the memory of the new VM the attributes that it had when the recording began. */
int replay_set_up(struct vm *vm);
/* Begins to read ahead. To be called when the run has begun. */
int replay_start(struct vm *vm);
void replay_end(struct vm *vm);

/* Puts the next steps into the vCPU's page, once it is time for them. */
void replay_next(struct vcpu *vcpu);

/* After replay_end(). */
const struct replay_counts *replay_counts(const struct replay *replay);

#endif
