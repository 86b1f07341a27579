/* SPDX-License-Identifier: GPL-2.0 */
/* Processes by their numbers, and when a number stops standing for the process that was meant. */
#ifndef MEMATTR_PROCESS_H
#define MEMATTR_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A process, whatever becomes of its number. */
struct process {
	pid_t pid;
	int pidfd;
};

/* Finds the process of thread or process @id. Returns 0 or -errno; -ESRCH: there is none. */
int process_open(struct process *process, pid_t id);

/* Whether the process has ended. Its number may be another process's by now. */
bool process_has_ended(const struct process *process);
void process_close(struct process *process);

/*
 * Reads the number of a process or descriptor as /proc writes it. Returns false if @text is
 * something else.
 */
bool process_parse_number(const char *text, int *number);

/* Returns the process of thread @tid, or 0 if there is no such thread. */
pid_t process_of_thread(pid_t tid);

/* Returns when the process started, in clock ticks since boot, or 0 if it is gone. */
uint64_t process_start(pid_t pid);

/*
 * Reads a file of /proc/<pid> as a string. Returns its length, which is less than @size. The file
 * is cut, and it is empty if it cannot be read.
 */
size_t process_read(pid_t pid, const char *file, char *text, size_t size);

/* Reads the path of the process's cgroup of version 2; "" if it has none. */
void process_cgroup(pid_t pid, char *path, size_t size);

/*
 * Returns whether the kernel's process numbers, as in events and debugfs, mean the same to this
 * process.
 */
bool process_ids_are_global(void);

/* What to tell a user who runs a tool where they do not: cause, and next step. */
#define PROCESS_IDS_CAUSE \
	"this is not the host's PID namespace: " \
	"VMs of processes outside of it have no process and name here"
#define PROCESS_IDS_NEXT \
	"run it in the host's: docker run --pid=host, hostPID: true, or nsenter -t 1 -p -m"

#endif
