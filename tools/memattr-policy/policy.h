/* SPDX-License-Identifier: GPL-2.0 */
/* A policy's file: finding it, opening it, passing it to the kernel. */
#ifndef MEMATTR_POLICY_H
#define MEMATTR_POLICY_H

#include "diag.h"
#include "kvm_core.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The exit codes of the tool. Scripts must be able to tell these outcomes apart. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,	/* any failure that is not listed below */
	EXIT_USAGE = 2,		/* options, parameters */
	EXIT_SYSTEM = 3,	/* the kernel lacks something, or the process lacks rights */
	EXIT_NO_VM = 4,		/* no such process or VM */
	EXIT_BUSY = 5,		/* there is a policy already */
	EXIT_NO_POLICY = 6,	/* the file is not a policy, or the verifier refuses it */
	EXIT_NOTHING = 7,	/* why: nothing has happened that could be explained */
	EXIT_EJECTED = 10,	/* the kernel ejected the policy */
	EXIT_VM_ENDED = 11,	/* the VM is gone, and the policy with it */
};

struct policy {
	struct bpf_object *obj;
	struct kvm_core core;
	int core_err;		/* only for those who load it, which they then can't */
	struct bpf_map *ops;	/* its kvm_memattr_ops */
	const char *name;
};

/*
 * Opens @file, which is a path with a slash or the bare name of a policy that is installed, or that
 * was built beside this program. Returns EXIT_OK, or reports the error and returns the exit code.
 */
int policy_open(struct policy *policy, const char *file);
void policy_close(struct policy *policy);

/* Sets the integer member @name of the policy's kvm_memattr_ops, before the policy is loaded. */
int policy_set_member(struct policy *policy, const char *name, uint32_t value);

/* Returns EXIT_OK, or reports the error and returns the exit code. */
int policy_load(struct policy *policy, bool verbose);

/*
 * Passes the loaded policy's kvm_memattr_ops to the kernel. libbpf does this when it attaches a
 * policy, but it cannot put a policy into a link that another process made. Returns EXIT_OK, or
 * reports the error and returns the exit code.
 */
int policy_store_ops(const struct policy *policy);

#endif
