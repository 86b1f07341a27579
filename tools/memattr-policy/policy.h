/* SPDX-License-Identifier: GPL-2.0 */
/* A policy's file: finding it, opening it, its parameters. */
#ifndef MEMATTR_POLICY_H
#define MEMATTR_POLICY_H

#include "diag.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What the tool ends with. A caller in a script has to tell these apart. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,	/* whatever is not below */
	EXIT_USAGE = 2,		/* options, parameters */
	EXIT_SYSTEM = 3,	/* the kernel or the rights do not suffice */
	EXIT_NO_VM = 4,		/* no such process or VM */
	EXIT_BUSY = 5,		/* there is a policy already */
	EXIT_NO_POLICY = 6,	/* the file is no policy, or the verifier refuses it */
	EXIT_EJECTED = 10,	/* the kernel threw the policy out */
	EXIT_VM_ENDED = 11,	/* the VM is gone, and the policy with it */
};

struct policy {
	struct bpf_object *obj;
	struct bpf_map *ops;	/* its kvm_memattr_ops; NULL: it is audit, which is none */
	const char *name;
};

/*
 * Opens @file: a path, or the bare name of a policy, or audit, that is installed or has been built here.
 * EXIT_OK, or reports the error and returns what to end with.
 */
int policy_open(struct policy *policy, const char *file);
void policy_close(struct policy *policy);

/* Sets integer member @name of the policy's kvm_memattr_ops. Before it is loaded. */
int policy_set_member(struct policy *policy, const char *name, uint32_t value);

/* EXIT_OK, or reports the error and returns what to end with. */
int policy_load(struct policy *policy, bool verbose);

/*
 * Gives the loaded policy's kvm_memattr_ops to the kernel. libbpf does so when it attaches a policy,
 * but knows no way to put one into a link that another process made. EXIT_OK, or reports the error
 * and returns what to end with.
 */
int policy_store_ops(const struct policy *policy);

/* Applies a "name=value". EXIT_OK, or reports the error and returns what to end with. */
int params_set(struct policy *policy, const char *setting);

/* What parameter @name is set to; 0 if there is none. */
uint64_t params_value(const struct policy *policy, const char *name);

/* Lists the parameters. */
void params_print(const struct policy *policy, FILE *out);
void params_print_json(const struct policy *policy, FILE *out);

#endif
