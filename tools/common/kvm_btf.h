/* SPDX-License-Identifier: GPL-2.0 */
/* The BTF types of KVM, whether it is a module or built in. */
#ifndef MEMATTR_KVM_BTF_H
#define MEMATTR_KVM_BTF_H

#include <stdbool.h>

#include <bpf/btf.h>

#define VMLINUX_BTF	"/sys/kernel/btf/vmlinux"
#define KVM_BTF		"/sys/kernel/btf/kvm"

/* The type of a struct_ops map's value. It exists only if KVM has registered kvm_memattr_ops. */
#define MEMATTR_VALUE_TYPE "bpf_struct_ops_kvm_memattr_ops"

struct kvm_btf {
	struct btf *btf;	/* KVM's types and all of vmlinux's */
	struct btf *vmlinux;	/* what @btf is based on; equals @btf if KVM is built in */
};

/* Returns 0 or -errno. */
int kvm_btf_load(struct kvm_btf *kvm);
void kvm_btf_free(struct kvm_btf *kvm);

/* Returns the member's byte offset in @type, or -ENOENT. */
int btf_member_offset(const struct btf *btf, const struct btf_type *type, const char *name);

/*
 * Whether CO-RE relocations find the same in both types of @btf. What a pointer points to does not count, because
 * it is looked up by its own name. An enum without values counts as a declaration of the other one.
 */
bool btf_same_layout(const struct btf *btf, __u32 id, __u32 other_id);

#endif
