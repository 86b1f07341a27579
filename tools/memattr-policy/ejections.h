/* SPDX-License-Identifier: GPL-2.0 */
/* Watches for VMs that throw the policy for all VMs out, which its link does not tell. */
#ifndef MEMATTR_EJECTIONS_H
#define MEMATTR_EJECTIONS_H

#include "exit_kinds.h"

#include <stdbool.h>
#include <stdint.h>

struct audit_bpf;
struct ring_buffer;

struct ejections {
	struct audit_bpf *bpf;
	struct ring_buffer *ring;
	struct exit_kinds kinds;
	int link_fd;
	bool left;		/* a VM has lost the policy since the last look, for whatever reason */
	bool ejected;		/* at least one has thrown it out or was refused */
};

/*
 * Begins to watch; to be called before the policy is attached. Returns EXIT_OK, or reports the
 * error and returns the exit code. ejections_close() is needed in either case.
 */
int ejections_open(struct ejections *ejections);
void ejections_close(struct ejections *ejections);

/* Becomes readable when there is something to print. */
int ejections_fd(const struct ejections *ejections);

/*
 * Prints the ejections that have happened, of the policy that the link @link_fd holds. Returns
 * whether there were some by now, and the policy does not govern any VM any more.
 */
bool ejections_print(struct ejections *ejections, int link_fd);

#endif
