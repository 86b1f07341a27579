/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CO-RE relocations of BPF objects that read KVM's structs.
 *
 * libbpf looks for a struct in vmlinux first, and in modules only if vmlinux has none of that name. A
 * distribution's vmlinux has the structs of that distribution's KVM. Where the module that is loaded was built
 * from other sources, new members are not found then, and old ones are read at wrong offsets without a word.
 * So each object of ours is opened with options that correct this:
 *
 *	err = kvm_core_open(&core);
 *	if (!err)
 *		object = bpf_object__open_file(file, core.options);
 *	...
 *	err = bpf_object__load(object);
 *	kvm_core_close(&core);
 */
#ifndef MEMATTR_KVM_CORE_H
#define MEMATTR_KVM_CORE_H

#include <bpf/libbpf.h>

struct kvm_core {
	/* NULL where libbpf finds the right structs: KVM is built in, or none of them differs. */
	const struct bpf_object_open_opts *options;

	/* The types, in memory, if there are options. */
	struct bpf_object_open_opts custom;
	char path[32];
	int fd;
};

/* Returns 0 or -errno. @core must stay where it is until it is closed. */
int kvm_core_open(struct kvm_core *core);
/* Frees the types once the object is loaded, or will not be. It does nothing to a @core that is all zero. */
void kvm_core_close(struct kvm_core *core);

#endif
