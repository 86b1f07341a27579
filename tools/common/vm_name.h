/* SPDX-License-Identifier: GPL-2.0 */
/* What a VM is called, by its VMM's command line. */
#ifndef MEMATTR_VM_NAME_H
#define MEMATTR_VM_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define VM_NAME_LEN 128

#define VM_CGROUP_LEN 256

/* The last character of a name that did not fit. */
#define VM_NAME_CUT '~'

/*
 * Copies a text that others chose: valid UTF-8, without characters that a terminal takes for a
 * command (C0, DEL and C1, of which each becomes "?"), cut at a character. All names go through
 * this, wherever they come from.
 */
void name_clean(char *name, size_t size, const char *text);

/*
 * Takes the VM's name from its VMM's command line: QEMU's -name, --name, the options of some other
 * VMMs. Else it is the process's comm. @name is always a valid string, "?" if @pid is gone.
 */
void vm_name(pid_t pid, char *name, size_t size);

/* The same from what /proc/<pid>/cmdline has. Returns false if there is no name in it. */
bool vm_name_in_cmdline(const char *cmdline, size_t len, char *name, size_t size);

/* What the kernel calls the process's main thread; "" if @pid is gone. */
#define VM_COMM_LEN 16
void vm_comm(pid_t pid, char *comm, size_t size);

/* The process's cgroup of version 2, as a path from the root that this process sees; "" without one. */
void vm_cgroup(pid_t pid, char *cgroup, size_t size);

/*
 * Copies the name by which a container's manager shows it: 12 digits of docker, podman, containerd and cri-o, the
 * container's own name of LXC. @name is "" if the cgroup is not a container's.
 */
void container_of_cgroup(const char *cgroup, char *name, size_t size);

#endif
