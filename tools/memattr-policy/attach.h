/* SPDX-License-Identifier: GPL-2.0 */
/* load and update share these functions, which prepare a policy for what it is to govern. */
#ifndef MEMATTR_ATTACH_H
#define MEMATTR_ATTACH_H

#include "command.h"

#include <stddef.h>

/*
 * In all of these, @vm is NULL for all VMs. Functions that return an int return EXIT_OK, or report the
 * error and return the exit code.
 */

/* Opens the policy that @options names, and sets its parameters. */
int attach_open(const struct options *options, struct policy *policy);

/*
 * Loads the policy for @vm, and sets @vm_fd to a descriptor of the VM, or to -1. Close it as soon as the
 * policy is attached: it keeps the VM alive, so that nobody would notice the VM's end.
 */
int attach_load(const struct options *options, struct policy *policy, const struct vm *vm, int *vm_fd);

/*
 * Reports why the kernel does not let the policy govern @vm: @err is a negative errno. @stays is the policy
 * that stays in force, or NULL.
 */
int attach_report(const struct options *options, const struct policy *policy, const struct vm *vm,
		  const char *stays, int err);

#endif
