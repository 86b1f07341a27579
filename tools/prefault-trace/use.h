/* SPDX-License-Identifier: GPL-2.0 */
/* What became of pages that were mapped ahead: KVM's own count, from the VM's folder in debugfs. */
#ifndef PREFAULT_TRACE_USE_H
#define PREFAULT_TRACE_USE_H

#include "snapshot.h"

/* What is known of one VM, and when to ask again. All zeros at first. */
struct use {
	struct snapshot_use last;
	uint64_t next_ns;
};

/* Does this kernel count it, and may we see it? Says in @hook where it comes from, or why not. */
bool use_probe(struct snapshot_hook *hook);

/*
 * Asks the kernel, which goes through all page tables: so seldom that for @vms VMs it takes about a
 * twentieth of a CPU at most. In between, and once the folder is gone, what was said last stands. @dir: the VM's.
 */
void use_read(struct use *use, const char *dir, size_t vms);

#endif
