/* SPDX-License-Identifier: GPL-2.0 */
/* What kind of KVM this host has. */
#ifndef MEMATTR_HOST_H
#define MEMATTR_HOST_H

#include <stdbool.h>

struct snapshot_host {
	bool known;		/* false: a record from before there was this */
	bool patched;		/* KVM has the memattr series */
	bool in_place;		/* the VMs' guest_memfds can be converted in place */
};

/* It stays the same for as long as KVM's modules stay loaded. */
void host_read(struct snapshot_host *host);

#endif
