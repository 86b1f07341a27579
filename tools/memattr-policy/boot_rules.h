/* SPDX-License-Identifier: GPL-2.0 */
/* The rules in policies.d: which policy is to govern which VMs. Each file NAME.conf is one rule. */
#ifndef MEMATTR_BOOT_RULES_H
#define MEMATTR_BOOT_RULES_H

#include "command.h"
#include "vm.h"

#include <stdbool.h>
#include <stddef.h>

#define BOOT_RULES_DIR "/etc/memattr/policies.d"

struct boot_selector {
	bool by_cgroup;		/* otherwise by the VM's name */
	char *pattern;		/* as for fnmatch() */
};

struct boot_rule {
	char *path;		/* of its file */
	/* For "load" and "update": the policy, its budget and parameters, and whether it is for all VMs. */
	struct options options;
	struct boot_selector *selectors;	/* without --all: any of them selects a VM */
	size_t selector_count;
};

struct boot_rules {
	struct boot_rule *rules;	/* sorted by the names of their files */
	size_t count;
	size_t wrong;		/* files that are not rules, and were reported */
};

/*
 * Reads the rules in @dir; a @dir that does not exist has none. Reports every file that is wrong, and leaves
 * it out. Returns EXIT_OK, EXIT_USAGE if a file is wrong, or EXIT_FAILED if @dir cannot be read.
 */
int boot_rules_read(const char *dir, struct boot_rules *rules);
void boot_rules_free(struct boot_rules *rules);

/* Returns the first rule that selects @vm, or if @vm is NULL the rule for all VMs; NULL if there is none. */
const struct boot_rule *boot_rules_find(const struct boot_rules *rules, const struct vm *vm);

#endif
