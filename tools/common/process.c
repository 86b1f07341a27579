// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "process.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

/* The kernel's PROC_PID_INIT_INO. */
#define INITIAL_PID_NAMESPACE "pid:[4026531836]"

size_t process_read(pid_t pid, const char *file, char *text, size_t size)
{
	char path[64];
	size_t len = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "re");
	if (f) {
		len = fread(text, 1, size - 1, f);
		fclose(f);
	}
	text[len] = '\0';
	return len;
}

void process_cgroup(pid_t pid, char *path, size_t size)
{
	char file[64], line[PATH_MAX];
	FILE *f;

	*path = '\0';
	snprintf(file, sizeof(file), "/proc/%d/cgroup", pid);
	f = fopen(file, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "0::", 3) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(path, size, "%s", line + 3);
	}
	fclose(f);
}

bool process_parse_number(const char *text, int *number)
{
	char *end;
	long value;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	value = strtol(text, &end, 10);
	if (*end || errno || value > INT32_MAX)
		return false;
	*number = value;
	return true;
}

/* /proc/<tid> exists for threads too, although a listing of /proc shows processes only. */
pid_t process_of_thread(pid_t tid)
{
	char status[1024];
	const char *line;
	int tgid = 0;

	process_read(tid, "status", status, sizeof(status));
	line = strstr(status, "\nTgid:");
	if (line)
		sscanf(line, " Tgid: %d", &tgid);
	return tgid;
}

uint64_t process_start(pid_t pid)
{
	char stat[1024];
	const char *after_comm;
	uint64_t start = 0;

	process_read(pid, "stat", stat, sizeof(stat));
	/* A comm can have blanks and parentheses. */
	after_comm = strrchr(stat, ')');
	/* From the end of the comm, the second word, to the 22nd. */
	for (int word = 2; after_comm && word < 22; word++) {
		after_comm = strchr(after_comm, ' ');
		after_comm += after_comm ? 1 : 0;
	}
	if (after_comm)
		sscanf(after_comm, "%" SCNu64, &start);
	return start;
}

int process_open(struct process *process, pid_t id)
{
	*process = (struct process){ .pid = process_of_thread(id), .pidfd = -1 };
	if (!process->pid)
		return -ESRCH;
	process->pidfd = pidfd_open(process->pid, 0);
	if (process->pidfd < 0)
		return -errno;
	/* The number may have changed hands in between: then the thread is not of this process. */
	if (process_of_thread(id) == process->pid)
		return 0;
	process_close(process);
	return -ESRCH;
}

bool process_has_ended(const struct process *process)
{
	struct pollfd end = { .fd = process->pidfd, .events = POLLIN };

	return poll(&end, 1, 0) > 0;
}

void process_close(struct process *process)
{
	if (process->pidfd >= 0)
		close(process->pidfd);
	process->pidfd = -1;
}

bool process_ids_are_global(void)
{
	char name[64];
	ssize_t len = readlink("/proc/self/ns/pid", name, sizeof(name));

	/*
	 * A kernel without PID namespaces; in a /proc of another namespace there would be no
	 * /proc/self.
	 */
	if (len < 0 && errno == ENOENT && !access("/proc/self", F_OK))
		return true;
	return len == strlen(INITIAL_PID_NAMESPACE) && !memcmp(name, INITIAL_PID_NAMESPACE, len);
}
