/* SPDX-License-Identifier: GPL-2.0 */
/* Finds out to which tracepoints and functions of this kernel's KVM a BPF program can be attached. */
#ifndef MEMATTR_HOOK_H
#define MEMATTR_HOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "kvm_btf.h"

enum hook_type {
	HOOK_TP_BTF,	/* a tracepoint */
	HOOK_TP_VENDOR,	/* a tracepoint that only the modules for CPUs call */
	HOOK_FENTRY,	/* where a function begins */
	HOOK_FEXIT,	/* where it returns */
};

struct hook_site {
	enum hook_type type;
	const char *target;
};

/* State that is shared by the probes of all hooks. */
struct hook_prober {
	struct kvm_btf kvm;
	int module_fd;		/* BTF of the kvm module; -1: KVM is built in */
	int stats_fd;		/* the kernel counts runs of programs for as long as it is open; or -1 */
};

/* Returns 0, or -errno if the types of the kernel cannot be read. */
int hook_prober_open(struct hook_prober *prober);
void hook_prober_close(struct hook_prober *prober);

/* Returns whether the kernel has such a tracepoint or function. */
bool hook_exists(const struct hook_prober *prober, const struct hook_site *site);

/*
 * Returns 1 if ftrace calls what is attached to this function of KVM, 0 if not, and -errno if its list cannot be
 * read. The kernel attaches to functions that ftrace skips, without an error.
 */
int hook_is_enabled(const char *function, bool in_module);

/* What hook_probe() returns if the hook is attached, but nothing shows that KVM ever calls it. */
#define HOOK_UNSURE 1

/*
 * Attaches an empty program. It is not enough that the target exists: some kernels refuse fentry, and some
 * functions cannot be traced. Nor is it enough that the kernel attaches the program: it must have
 * enabled the function's call of ftrace, and the compiler must not have inlined the function where
 * it is called. So @trial, if it is not NULL, makes KVM call the function, and returns 0 or -errno.
 *
 * Returns 0, HOOK_UNSURE or -errno; -ENOENT: there is no such target; -ENODEV: functions cannot be
 * traced at the moment; -ENXIO: KVM does not call the hook.
 */
int hook_probe(const struct hook_prober *prober, const struct hook_site *site, int (*trial)(void));

/* "tp_btf:kvm_exit" */
void hook_name(const struct hook_site *site, char *text, size_t size);

/* Puts the error that hook_probe() returned into words. */
void hook_error_text(int err, char *text, size_t size);

#endif
