// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "why_holders.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

/* In the ring's fdinfo, "UserBufs: COUNT" comes before lines "INDEX: 0xADDRESS/LENGTH". */
static bool has_buffer_at(pid_t pid, int ring_fd, uint64_t address)
{
	bool in_buffers = false, found = false;
	uint64_t start, length;
	char path[64], line[256];
	FILE *info;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, ring_fd);
	info = fopen(path, "re");
	if (!info)
		return false;
	while (!found && fgets(line, sizeof(line), info)) {
		if (starts_with(line, "UserBufs:"))
			in_buffers = true;
		else if (in_buffers &&
			 sscanf(line, " %*u: %" SCNx64 "/%" SCNu64, &start, &length) == 2)
			found = address >= start && address - start < length;
	}
	fclose(info);
	return found;
}

static bool is_device(const char *target)
{
	return starts_with(target, "/dev/vfio/") || !strcmp(target, "/dev/iommu") ||
	       starts_with(target, "/dev/vhost-vdpa") || starts_with(target, "anon_inode:[vfio");
}

static void look_at(pid_t pid, int fd, const char *target, uint64_t address,
		    struct holders *holders)
{
	if (!strcmp(target, "anon_inode:[io_uring]") && has_buffer_at(pid, fd, address))
		holders->io_uring_fd = fd;
	else if (is_device(target))
		holders->device_fd = fd;
	else if (starts_with(target, "pipe:"))
		holders->has_pipes = true;
}

void holders_find(pid_t pid, uint64_t address, struct holders *holders)
{
	char path[64], target[64];
	struct dirent *entry;
	ssize_t length;
	DIR *dir;

	*holders = (struct holders){ .io_uring_fd = NO_FD, .device_fd = NO_FD };
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return;
	holders->read = true;
	while ((entry = readdir(dir))) {
		length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (length <= 0)
			continue;
		target[length] = '\0';
		look_at(pid, atoi(entry->d_name), target, address, holders);
	}
	closedir(dir);
}
