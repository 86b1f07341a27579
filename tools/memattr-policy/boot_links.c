// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "boot_links.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The units make this folder, too: there the rest of /run is read-only. */
#define RUN_DIR "/run/memattr"
#define LIST_FILE RUN_DIR "/links"

int boot_links_lock(struct boot_links *links)
{
	uint32_t id;
	FILE *file;
	int ret = 0;

	*links = (struct boot_links){ .fd = -1 };
	if (mkdir(RUN_DIR, 0755) && errno != EEXIST)
		return -errno;
	links->fd = open(LIST_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (links->fd < 0 || flock(links->fd, LOCK_EX))
		return -errno;
	file = fopen(LIST_FILE, "re");
	if (!file)
		return -errno;
	while (!ret && fscanf(file, "%" SCNu32, &id) == 1)
		ret = boot_links_add(links, id);
	fclose(file);
	return ret;
}

bool boot_links_has(const struct boot_links *links, uint32_t id)
{
	for (size_t i = 0; i < links->count; i++)
		if (links->ids[i] == id)
			return true;
	return false;
}

int boot_links_add(struct boot_links *links, uint32_t id)
{
	uint32_t *grown;

	if (boot_links_has(links, id))
		return 0;
	grown = reallocarray(links->ids, links->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	links->ids = grown;
	links->ids[links->count++] = id;
	return 0;
}

int boot_links_unlock(struct boot_links *links)
{
	int ret = 0;

	if (links->fd >= 0 && ftruncate(links->fd, 0))
		ret = -errno;
	for (size_t i = 0; links->fd >= 0 && !ret && i < links->count; i++)
		if (dprintf(links->fd, "%" PRIu32 "\n", links->ids[i]) < 0)
			ret = -errno;
	if (links->fd >= 0)
		close(links->fd);
	free(links->ids);
	*links = (struct boot_links){ .fd = -1 };
	return ret;
}
