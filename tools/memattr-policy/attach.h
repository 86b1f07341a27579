/* SPDX-License-Identifier: GPL-2.0 */
/* What load and update have in common: a policy is made ready for what it shall govern. */
#ifndef MEMATTR_ATTACH_H
#define MEMATTR_ATTACH_H

#include "command.h"

#include <stddef.h>

/*
 * In all of these, a @vm of NULL means all VMs. Those that return an int return EXIT_OK, or report
 * the error and return what to end with.
 */

/* Opens the policy that @options name, and sets its parameters. */
int attach_open(const struct options *options, struct policy *policy);

/*
 * Loads the policy for @vm. @vm_fd is the VM's descriptor then, or -1: it is to be closed as soon as
 * the policy is attached. What holds it keeps the VM alive, whose end would go unnoticed.
 */
int attach_load(const struct options *options, struct policy *policy, const struct vm *vm, int *vm_fd);

/* Why the kernel does not let the policy govern @vm, by -errno. @stays, if any, does so further on. */
int attach_report(const struct options *options, const struct policy *policy, const struct vm *vm,
		  const char *stays, int err);

/* What the policy is for, in words. */
const char *scope_text(const struct vm *vm, char *text, size_t size);

#endif
