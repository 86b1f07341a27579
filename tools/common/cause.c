// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "cause.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns the first line that begins so, without its newline, or false. */
static bool read_line(const char *path, const char *begin, char *line, int size)
{
	FILE *file = fopen(path, "re");
	bool found = false;

	while (file && !found && fgets(line, size, file))
		found = !strncmp(line, begin, strlen(begin));
	if (file)
		fclose(file);
	if (found)
		line[strcspn(line, "\n")] = '\0';
	return found;
}

bool cause_is_confidential(const char *lockdown)
{
	char line[128];

	return read_line(lockdown, "", line, sizeof(line)) && strstr(line, "[confidentiality]");
}

bool cause_is_no_read(const char *log)
{
	/* The first is what kernels say since 6.10. */
	return strstr(log, "cannot use helper bpf_probe_read") ||
	       strstr(log, "unknown func bpf_probe_read");
}

bool cause_is_seccomp(const char *status)
{
	char line[128];
	int mode;

	return read_line(status, "Seccomp:", line, sizeof(line)) &&
	       sscanf(line, "Seccomp: %d", &mode) == 1 && mode;
}

bool cause_is_user_namespace(const char *uid_map)
{
	unsigned int inside, outside, count;
	char line[128];

	return read_line(uid_map, "", line, sizeof(line)) &&
	       sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 &&
	       (inside || outside || count != UINT_MAX);
}

bool cause_is_cgroup(const char *cgroup, const char *root, char *path, size_t size,
		     unsigned long long *limit)
{
	char line[PATH_MAX], value[64];
	bool found = false;
	char *own, *end, *file;

	if (!read_line(cgroup, "0::/", line, sizeof(line)))
		return false;
	/* Each cgroup is limited by those above it, too. */
	own = line + strlen("0::");
	while ((end = strrchr(own, '/'))) {
		unsigned long long bytes;

		if (asprintf(&file, "%s%s/memory.max", root, own) < 0)
			return found;
		if (read_line(file, "", value, sizeof(value)) && sscanf(value, "%llu", &bytes) == 1 &&
		    (!found || bytes < *limit)) {
			found = true;
			*limit = bytes;
			snprintf(path, size, "%s", own);
		}
		free(file);
		*end = '\0';
	}
	return found;
}

bool cause_is_refused_btf(const char *log)
{
	/* The second is what kernels say that load the module all the same, once for all modules. */
	return strstr(log, "failed to validate module [kvm] BTF") ||
	       strstr(log, "Kernel module BTF mismatch detected");
}
