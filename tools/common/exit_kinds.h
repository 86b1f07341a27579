/* SPDX-License-Identifier: GPL-2.0 */
/* Why policies leave VMs: enum kvm_memattr_exit_kind of the running kernel. */
#ifndef MEMATTR_EXIT_KINDS_H
#define MEMATTR_EXIT_KINDS_H

#include <stddef.h>
#include <stdint.h>

struct exit_kind {
	uint32_t value;
	char name[16];		/* as debugfs spells it, "vm-death" */
};

struct exit_kinds {
	struct exit_kind *kinds;
	size_t count;
	uint32_t first_ejected;	/* from this value on, KVM ejected the policy */
};

/* 0 or -errno. */
int exit_kinds_load(struct exit_kinds *kinds);
void exit_kinds_free(struct exit_kinds *kinds);

/* NULL if the kernel has no such kind. */
const char *exit_kinds_name(const struct exit_kinds *kinds, uint32_t value);

#endif
