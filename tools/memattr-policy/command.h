/* SPDX-License-Identifier: GPL-2.0 */
/* The command line's options, and the commands. */
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
	unsigned int timeout_s;	/* 0: no limit */
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
int command_why(const struct options *options);
int command_params(const struct options *options);
int command_apply(const struct options *options);
int command_watch(const struct options *options);
int command_doctor(const struct options *options);

/*
 * Blocks the signals that end a command, and returns a signalfd for them or an errno as a negative
 * number. To be called before the policy is attached, so that no signal is missed.
 */
int open_signals(void);

/* Finds the one VM that --pid and --vm select. Returns EXIT_OK, or reports the error. */
int choose_vm(const struct options *options, struct vm *vm);

/*
 * Finds the policy that --pid and --vm, or --all, select. Fills in @link->id, @link->name, and without
 * --all also @vm. Returns EXIT_OK, or reports the error. The report suggests @if_none if there is no
 * policy, and @if_all if the VM has no policy of its own but is under the policy for all VMs.
 */
int choose_link(const struct options *options, const char *if_none, const char *if_all,
		struct vm *vm, struct policy_link *link);

#endif
