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

/* Lists all attached policies of the host, from BPF's own lists. Returns 0 or -errno. */
int policy_links_read(struct policy_links *links);
void policy_links_free(struct policy_links *links);

/* Finds the policy for all VMs. Returns 0, -ENOENT if there is none, or another -errno. */
int policy_link_of_all(struct policy_link *link);

/*
 * Reads what the link behind @fd holds at the moment. @link->name is the map's name, which
 * MEMATTR_OPS makes the policy's name; @link->all is not set. Returns 0 or -errno; -ENOLINK: the
 * link holds nothing, and only @link->id is set.
 */
int policy_link_read(int fd, struct policy_link *link);

/*
 * Reads the number of the VM's descriptor in the process that loaded the policy in this map; -1 if it is for all VMs.
 * Returns 0 or -errno.
 */
int policy_map_vm_fd(int map_fd, int *vm_fd);

/* Detaches the policy from what it governs. Returns 0 or -errno. */
int policy_link_detach(uint32_t id);

/*
 * Says where a policy for @vm, or for all VMs if @vm is NULL, is pinned. No later VM has the same
 * place.
 */
void pin_path(const struct vm *vm, char *path, size_t size);

/* Finds the pin of link @id. Returns false if it has none. */
bool pin_find(uint32_t id, char *path, size_t size);

/*
 * Removes pins whose policy is no longer attached to anything: it was detached or ejected, or its
 * VM ended. The kernel cannot remove them itself.
 */
void pins_prune(void);

#endif
