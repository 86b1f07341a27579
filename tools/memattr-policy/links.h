/* SPDX-License-Identifier: GPL-2.0 */
/* The links that hold policies in place, and the pins that hold links. */
#ifndef MEMATTR_LINKS_H
#define MEMATTR_LINKS_H

#include "vm.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIN_DIR "/sys/fs/bpf/memattr"

struct policy_link {
	uint32_t id;
	uint32_t map_id;
	bool all;			/* for all VMs without one of their own */
	char name[VM_POLICY_NAME_LEN];
};

struct policy_links {
	struct policy_link *links;
	size_t count;
};

/* All attached policies of the host, by BPF's own lists. 0 or -errno. */
int policy_links_read(struct policy_links *links);
void policy_links_free(struct policy_links *links);

/* The policy for all VMs, if there is one. 0, -ENOENT or -errno. */
int policy_link_of_all(struct policy_link *link);

/*
 * What the link behind @fd holds at the moment. @link->name is the map's, which MEMATTR_OPS gives the
 * policy's name; @link->all is not known. 0 or -errno; -ENOLINK: nothing, and only the id is set.
 */
int policy_link_read(int fd, struct policy_link *link);

/* Takes the policy away from what it governs. 0 or -errno. */
int policy_link_detach(uint32_t id);

/* Where a policy for @vm, or for all VMs if that is NULL, is pinned. */
void pin_path(const struct vm *vm, char *path, size_t size);

/* The pin of link @id. False: it has none. */
bool pin_find(uint32_t id, char *path, size_t size);

/*
 * Removes pins whose policy is attached to nothing any more: it was detached or ejected, or its VM
 * ended. The kernel cannot do that itself.
 */
void pins_prune(void);

#endif
