/* SPDX-License-Identifier: GPL-2.0 */
/* What the command line asks for, and the commands. */
#ifndef MEMATTR_COMMAND_H
#define MEMATTR_COMMAND_H

#include "links.h"
#include "policy.h"
#include "vm.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ANY_VM_FD -1

struct options {
	pid_t pid;		/* 0: not given */
	int vm_fd;		/* ANY_VM_FD: not given */
	bool all;
	bool pin;
	bool json;
	bool verbose;
	uint32_t budget_us;
	char *file;
	char **settings;	/* name=value */
	int setting_count;
};

/* Each reports its own errors and returns an exit_code. */
int command_load(const struct options *options);
int command_update(const struct options *options);
int command_list(const struct options *options);
int command_show(const struct options *options);
int command_detach(const struct options *options);
int command_audit(const struct options *options);
int command_params(const struct options *options);

/* The one VM that --pid and --vm mean. EXIT_OK, or reports the error. */
int choose_vm(const struct options *options, struct vm *vm);

/*
 * The policy that --pid and --vm, or --all mean; @link->id and @link->name are filled in, and @vm if
 * it is for one. EXIT_OK, or reports the error: @if_none is what to try then if there is no policy,
 * and @if_all if the VM has none of its own but is under that for all VMs.
 */
int choose_link(const struct options *options, const char *if_none, const char *if_all,
		struct vm *vm, struct policy_link *link);

#endif
