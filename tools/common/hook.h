/* SPDX-License-Identifier: GPL-2.0 */
/* Which events and functions of this kernel's KVM a BPF program can be attached to. */
#ifndef MEMATTR_HOOK_H
#define MEMATTR_HOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "kvm_btf.h"

enum hook_type {
	HOOK_TP_BTF,	/* a tracepoint */
	HOOK_FENTRY,	/* where a function begins */
	HOOK_FEXIT,	/* where it returns */
};

struct hook_site {
	enum hook_type type;
	const char *target;
};

/* What is asked again for every hook. */
struct hook_prober {
	struct kvm_btf kvm;
	int module_fd;		/* BTF of the kvm module; -1: KVM is built in */
};

/* 0, or -errno if the types of the kernel cannot be read. */
int hook_prober_open(struct hook_prober *prober);
void hook_prober_close(struct hook_prober *prober);

/* Is there such a tracepoint or function? */
bool hook_exists(const struct hook_prober *prober, const struct hook_site *site);

/*
 * Attaches an empty program: being there is not enough, some kernels refuse fentry, some functions refuse
 * to be traced. 0 or -errno; -ENOENT: there is no such thing; -ENODEV: functions cannot be traced now.
 */
int hook_probe(const struct hook_prober *prober, const struct hook_site *site);

/* "tp_btf:kvm_exit" */
void hook_name(const struct hook_site *site, char *text, size_t size);

/* What hook_probe() returned, in words. */
void hook_error_text(int err, char *text, size_t size);

#endif
