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
	uint64_t vm_id;		/* KVM's number of a VM; 0: not given */
	uint32_t link_id;	/* 0: not given */
	bool all;
	bool pin;
	bool until_ejected;
	bool json;
	bool verbose;
	uint32_t budget_us;
	unsigned int timeout_s;	/* 0: no limit */
	char *file;
	char **settings;	/* name=value; compare: what to compare */
	int setting_count;
	/* compare */
	const char *guest;	/* options of memattr-guest; NULL: a VM that runs anyway */
	const char *svg;
	unsigned int seconds;	/* for each run, in such a VM */
	unsigned int repeat;
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
int command_compare(const struct options *options);

/*
 * Blocks the signals that end a command, but for those that this process has been told to ignore,
 * and returns a signalfd for them or an errno as a negative number. To be called before the policy
 * is attached, so that no signal is missed.
 */
int open_signals(void);

/* Whether whoever started this process wants it to ignore the signal. */
bool signal_is_ignored(int signal);

/* Lists audit's parameters, which the command params knows by the name "audit". */
void audit_params_print(bool json);

/*
 * Lists the VMs of @pid, or all VMs, and reports what the list cannot be relied on for. Returns
 * EXIT_OK, or reports the error.
 */
int read_vms(struct vm_list *list, pid_t pid);

/* Reports that VMs could not be listed, for @err (negative errno). Returns the exit code. */
int report_no_vms_read(pid_t pid, int err);

/* Reads the VM's policy. Returns EXIT_OK, or reports the error. */
int read_state(const struct vm *vm, struct vm_policy *state);

/* Finds the one VM that --pid and --vm, or --id, select. Returns EXIT_OK, or reports the error. */
int choose_vm(const struct options *options, struct vm *vm);

/* Finds a VM again, which may have another descriptor by now. Returns whether it still exists. */
bool find_vm(uint64_t id, struct vm *vm);

/*
 * Finds the policy that --pid and --vm, --id or --all select. Fills in @link->id, @link->name, and
 * without --all also @vm. Returns EXIT_OK, or reports the error. The report suggests @if_none if
 * there is no policy, and @if_all if the VM has no policy of its own but is under the policy for
 * all VMs.
 */
int choose_link(const struct options *options, const char *if_none, const char *if_all,
		struct vm *vm, struct policy_link *link);

#endif
