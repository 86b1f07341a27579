/* SPDX-License-Identifier: GPL-2.0 */
/* Loads policies through libbpf, without memattr-policy's checks. */
#ifndef POLICY_H
#define POLICY_H

#include <bpf/libbpf.h>
#include <stdint.h>

/* Options with which each BPF object must be opened, see kvm_core.h. Failure ends the program. */
const struct bpf_object_open_opts *kvm_open_options(void);
/* For a process that closes descriptors which it does not know: the options would name one of them. */
void kvm_close_options(void);
/* Returns the object's struct_ops map, or NULL. */
struct bpf_map *find_policy(const struct bpf_object *object);
/*
 * Returns a member of its struct kvm_memattr_ops, or NULL, to be changed before the object is loaded.
 * Programs are pointers to struct bpf_program there.
 */
void *policy_member(const struct bpf_object *object, struct bpf_map *policy, const char *name);

/*
 * Open, or also load, the policy of a file for a VM, or for all if @vm_fd is -1. They end the program
 * on failure.
 */
struct bpf_map *open_policy(const char *file, int vm_fd, struct bpf_object **object);
struct bpf_map *load_policy(const char *file, int vm_fd);

#endif
