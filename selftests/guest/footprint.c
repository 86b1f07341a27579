// SPDX-License-Identifier: GPL-2.0
/*
 * Measures the memory that the VM takes. No file in /proc tells what a guest_memfd holds, and the
 * RSS of a process has only what the process maps. But cachestat() counts the pages of any file.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "testvm.h"
#include "vmm.h"

#define KIB	1024

/* The value in a line like "VmRSS:   1234 kB", in bytes; -1 without such a line. */
static int64_t field_bytes(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	char line[256];
	int64_t kib = -1;

	if (!file)
		return -1;
	while (kib < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			sscanf(line + strlen(name), ": %" SCNd64 " kB", &kib);
	fclose(file);
	return kib < 0 ? -1 : kib * KIB;
}

/* The root's cgroup and kernels without memory cgroups have no such file: -1. */
static int64_t memcg_bytes(const char *name)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[4096], path[sizeof(line) + 64];
	int64_t bytes = -1;

	if (!file)
		return -1;
	path[0] = '\0';
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "0::", 3))
			snprintf(path, sizeof(path), "/sys/fs/cgroup%.*s/%s",
				 (int)strcspn(line + 3, "\n"), line + 3, name);
	fclose(file);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%" SCNd64, &bytes) != 1)
		bytes = -1;
	fclose(file);
	return bytes;
}

void measure_footprint(const struct vm *vm, struct footprint *footprint)
{
	int64_t pages = gmem_pages(vm->gmem_fd);

	*footprint = (struct footprint) {
		.anonymous = field_bytes("/proc/self/smaps_rollup", "Anonymous"),
		.rss = field_bytes("/proc/self/smaps_rollup", "Rss"),
		.gmem = pages < 0 ? -1 : pages * (int64_t)GUEST_PAGE_SIZE,
		.memcg_current = memcg_bytes("memory.current"),
		.memcg_peak = memcg_bytes("memory.peak"),
	};
	footprint->resident = footprint->gmem < 0 || footprint->anonymous < 0 ? -1 :
			      footprint->gmem + footprint->anonymous;
}
