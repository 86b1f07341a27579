/* SPDX-License-Identifier: GPL-2.0 */
/* A policy's file: finding it, opening it, passing it to the kernel. */
#ifndef MEMATTR_POLICY_H
#define MEMATTR_POLICY_H

#include "diag.h"
#include "exit_code.h"
#include "kvm_core.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

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

/* Whether the policy's kvm_memattr_ops has the callback @name. */
bool policy_has_callback(const struct policy *policy, const char *name);

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
