/* SPDX-License-Identifier: GPL-2.0 */
/* A diagnosis says in words what keeps a tool from working: the cause, and the command that helps. */
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
 * Prints "<program>: <cause>" to stderr and, if there is a next step, "<program>: try: <next>". Returns
 * @code, so that a caller can write "return diag_print(&diag, EXIT_...)".
 */
int diag_print(const struct diag *diag, int code);

/* diag_set() and diag_print() in one. */
int diag_fail(int code, const char *next, const char *cause, ...)
	__attribute__((format(printf, 3, 4)));

/* Reports that @what could not be written to stdout, for @err (negative errno). Returns @code. */
int diag_no_output(int code, const char *what, int err);

/*
 * The things that a tool can need. Each is checked by itself, so that a tool can run with some of
 * them missing.
 */
enum diag_need {
	DIAG_BPF_RIGHTS,	/* CAP_BPF and CAP_PERFMON: to load programs */
	DIAG_ADMIN_RIGHTS,	/* CAP_SYS_ADMIN: others' VMs, all VMs, BPF objects by id */
	DIAG_PTRACE_RIGHTS,	/* CAP_SYS_PTRACE: a descriptor out of another process */
	DIAG_BTF,		/* /sys/kernel/btf/vmlinux */
	DIAG_KVM,		/* KVM is in the kernel or loaded */
	DIAG_KVM_BTF,		/* KVM's types: /sys/kernel/btf/kvm, or vmlinux if built in */
	DIAG_MEMATTR,		/* the kernel is patched: KVM's BTF has kvm_memattr_ops */
	DIAG_TRACEPOINTS,	/* KVM's BTF has the tracepoints kvm_memattr_convert and kvm_memattr_exit */
	DIAG_HELD_TRACEPOINT,	/* KVM's BTF has the tracepoint kvm_gmem_held */
	DIAG_DEBUGFS,		/* debugfs is mounted and can be read */
	DIAG_BPFFS,		/* bpffs is mounted */
};

/* Returns whether @need is met. If it is not and @why is not NULL, @why says so. */
bool diag_has(enum diag_need need, struct diag *why);

/* Catches libbpf's messages; @verbose shows them on stderr at once as well. Call before libbpf. */
void diag_libbpf_init(bool verbose);

/*
 * Returns the last @lines lines that libbpf printed, or "". They are valid until libbpf prints
 * again.
 */
const char *diag_libbpf_tail(unsigned int lines);

/*
 * Returns whether bpf_object__load() failed because kernel lockdown does not let BPF read kernel memory,
 * and sets @diag to that.
 */
bool diag_is_locked_down(struct diag *diag);

/* Sets @diag to why bpf_object__load() failed with @err (negative errno). */
void diag_bpf_load(struct diag *diag, int err);

#endif
