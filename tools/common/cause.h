/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Looks for what makes the kernel refuse or fail, where the errno can mean several things. Each
 * function reads the files that it is told, so that tests can show it others.
 */
#ifndef MEMATTR_CAUSE_H
#define MEMATTR_CAUSE_H

#include <stdbool.h>
#include <stddef.h>

/* Returns whether the kernel is locked down so far that BPF must not read its memory. */
bool cause_is_confidential(const char *lockdown);

/* Returns whether the verifier's log says that a program must not use a helper that reads memory. */
bool cause_is_no_read(const char *log);

/* Returns whether a seccomp filter is in force for the process with this status file. */
bool cause_is_seccomp(const char *status);

/* Returns whether the process with this uid_map is in a user namespace other than the first. */
bool cause_is_user_namespace(const char *uid_map);

/*
 * Finds the memory cgroup that limits the process with this cgroup file the most, below the mount
 * point @root. Returns false if there is no limit.
 */
bool cause_is_cgroup(const char *cgroup, const char *root, char *path, size_t size,
		     unsigned long long *limit);

/* Returns whether the kernel's log says that it did not take the types of the module kvm. */
bool cause_is_refused_btf(const char *log);

#endif
