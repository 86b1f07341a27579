/* SPDX-License-Identifier: GPL-2.0 */
/* The parameters of a BPF object. @owner is what it is called: a policy's name, or "audit". */
#ifndef MEMATTR_PARAMS_H
#define MEMATTR_PARAMS_H

#include <bpf/libbpf.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Applies a "name=value" before the object is loaded. Returns EXIT_OK, or reports the error and
 * returns the exit code.
 */
int params_set(struct bpf_object *obj, const char *owner, const char *setting);

/* Returns the value of parameter @name, or 0 if there is no such parameter. */
uint64_t params_value(const struct bpf_object *obj, const char *name);

/* Lists the parameters. */
void params_print(const struct bpf_object *obj, const char *owner, FILE *out);
void params_print_json(const struct bpf_object *obj, const char *owner, FILE *out);

#endif
