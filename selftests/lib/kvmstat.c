// SPDX-License-Identifier: GPL-2.0
/* A header, descriptors with their names, and values: see KVM_GET_STATS_FD in KVM's api.rst. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvmstat.h"
#include "testvm.h"

static void read_exactly(int fd, void *buffer, size_t size, uint64_t offset)
{
	if (pread(fd, buffer, size, offset) != (ssize_t)size)
		failed("reading KVM's statistics");
}

int open_stats(int fd)
{
	return check(ioctl(fd, KVM_GET_STATS_FD, NULL), "KVM_GET_STATS_FD");
}

bool read_stat(int stats_fd, const char *name, uint64_t *value)
{
	struct kvm_stats_header header;
	const struct kvm_stats_desc *desc;
	bool found = false;
	size_t desc_size;
	char *table;

	read_exactly(stats_fd, &header, sizeof(header), 0);
	desc_size = sizeof(*desc) + header.name_size;
	table = calloc(header.num_desc, desc_size);
	if (!table)
		failed("calloc");
	read_exactly(stats_fd, table, header.num_desc * desc_size, header.desc_offset);
	for (uint32_t i = 0; i < header.num_desc && !found; i++) {
		desc = (const void *)(table + i * desc_size);
		found = !strcmp(desc->name, name);
		if (found)
			read_exactly(stats_fd, value, sizeof(*value), header.data_offset + desc->offset);
	}
	free(table);
	return found;
}

uint64_t kvm_stat(int fd, const char *name)
{
	int stats_fd = open_stats(fd);
	uint64_t value;

	errno = ENOENT;
	if (!read_stat(stats_fd, name, &value))
		failed(name);
	close(stats_fd);
	return value;
}
