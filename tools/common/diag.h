/* SPDX-License-Identifier: GPL-2.0 */
/* What keeps a tool from working, in words: the cause, and the command that helps. */
#ifndef MEMATTR_DIAG_H
#define MEMATTR_DIAG_H

#include <stdbool.h>
#include <stdint.h>

#define DIAG_TEXT_LEN 512

struct diag {
	char cause[DIAG_TEXT_LEN];
	char next[DIAG_TEXT_LEN];	/* what to do or run; may be empty */
};

void diag_set(struct diag *diag, const char *next, const char *cause, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * To stderr: "<program>: <cause>" and, if there is one, "<program>: try: <next>". @code comes back,
 * so that a caller can write "return diag_print(&diag, EXIT_...)".
 */
int diag_print(const struct diag *diag, int code);

/* diag_set() and diag_print() in one. */
int diag_fail(int code, const char *next, const char *cause, ...)
	__attribute__((format(printf, 3, 4)));

/* What a tool can need. Each is checked by itself, so that a tool can do with less. */
enum diag_need {
	DIAG_BPF_RIGHTS,	/* CAP_BPF and CAP_PERFMON: to load programs */
	DIAG_ADMIN_RIGHTS,	/* CAP_SYS_ADMIN: others' VMs, all VMs, BPF objects by id */
	DIAG_PTRACE_RIGHTS,	/* CAP_SYS_PTRACE: a descriptor out of another process */
	DIAG_BTF,		/* /sys/kernel/btf/vmlinux */
	DIAG_KVM,		/* KVM is in the kernel or loaded */
	DIAG_KVM_BTF,		/* KVM's types: /sys/kernel/btf/kvm, or vmlinux if built in */
	DIAG_MEMATTR,		/* the kernel is patched: KVM's BTF has kvm_memattr_ops */
	DIAG_TRACEPOINTS,	/* so it has kvm_memattr_convert and kvm_memattr_exit */
	DIAG_DEBUGFS,		/* debugfs is mounted and can be read */
	DIAG_BPFFS,		/* bpffs is mounted */
};

/* Is it there? If not and @why is not NULL, @why says so. */
bool diag_has(enum diag_need need, struct diag *why);

/* Catches libbpf's messages; @verbose shows them on stderr at once as well. Call before libbpf. */
void diag_libbpf_init(bool verbose);

/* The last @lines lines of what libbpf said, or "". Valid until libbpf speaks again. */
const char *diag_libbpf_tail(unsigned int lines);

/* Why bpf_object__load() failed with @err (negative errno). */
void diag_bpf_load(struct diag *diag, int err);

#endif
