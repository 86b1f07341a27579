/* SPDX-License-Identifier: GPL-2.0 */
/* What exits.bpf.c and its readers agree on. */
#ifndef EXITS_H
#define EXITS_H

#define EXITS_MAX 16384

/* enum kvm_memattr_exit_kind has a gap, for kinds to come. */
#define exit_kind_is_known(kind)							\
	(((kind) > KVM_MEMATTR_EXIT_NONE && (kind) <= KVM_MEMATTR_EXIT_REFUSED) ||	\
	 ((kind) >= KVM_MEMATTR_EXIT_EJECTED && (kind) <= KVM_MEMATTR_EXIT_REQUEST))

struct exits_key {
	__u32 vm_pid;
	__u32 kind;		/* enum kvm_memattr_exit_kind */
};

#endif
