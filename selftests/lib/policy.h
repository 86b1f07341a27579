/* SPDX-License-Identifier: GPL-2.0 */
/* Policies as libbpf sees them, without memattr-policy's checks. */
#ifndef POLICY_H
#define POLICY_H

#include <bpf/libbpf.h>
#include <stdint.h>

/* The object's struct_ops map, or NULL. */
struct bpf_map *find_policy(const struct bpf_object *object);
/*
 * A member of its struct kvm_memattr_ops, to be changed before the object is loaded: programs are
 * by reference there, struct bpf_program *. NULL if there is none of that name.
 */
void *policy_member(const struct bpf_object *object, struct bpf_map *policy, const char *name);

/* The policy of a file for a VM, -1 for all, open or loaded. End the program if that fails. */
struct bpf_map *open_policy(const char *file, int vm_fd, struct bpf_object **object);
struct bpf_map *load_policy(const char *file, int vm_fd);

#endif
