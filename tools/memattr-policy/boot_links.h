/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Remembers which links "apply" and "watch" have made, so that they leave alone what somebody attached by hand.
 * Only one process at a time has the list. It is gone after a reboot, as the links are.
 */
#ifndef MEMATTR_BOOT_LINKS_H
#define MEMATTR_BOOT_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct boot_links {
	int fd;
	uint32_t *ids;
	size_t count;
};

/* Waits for the list, and reads it. Returns 0 or -errno. */
int boot_links_lock(struct boot_links *links);

bool boot_links_has(const struct boot_links *links, uint32_t id);

/* Adds @id if it is not there. Returns 0 or -ENOMEM. */
int boot_links_add(struct boot_links *links, uint32_t id);

/* Writes the list, and lets other processes have it. Returns 0 or -errno. */
int boot_links_unlock(struct boot_links *links);

#endif
