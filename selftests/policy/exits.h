/* SPDX-License-Identifier: GPL-2.0 */
/* What exits.bpf.c and its readers agree on. */
#ifndef EXITS_H
#define EXITS_H

#define EXITS_MAX 16384

struct exits_key {
	__u32 vm_pid;
	__u32 kind;		/* enum kvm_memattr_exit_kind */
};

#endif
