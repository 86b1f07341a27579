// SPDX-License-Identifier: GPL-2.0
#include "cpus.h"

#include <errno.h>
#include <stdio.h>

int cpus_end(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned int cpu;
	int end = 0;

	if (!file)
		return -errno;
	/* Commas and dashes come between two numbers. */
	while (fscanf(file, "%u%*1[,-]", &cpu) == 1)
		if ((int)cpu >= end)
			end = cpu + 1;
	fclose(file);
	return end ?: -EINVAL;
}
