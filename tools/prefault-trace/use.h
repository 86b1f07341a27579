/* SPDX-License-Identifier: GPL-2.0 */
/* Tells what became of pages that were mapped ahead. KVM itself counts this, in the VM's debugfs folder. */
#ifndef PREFAULT_TRACE_USE_H
#define PREFAULT_TRACE_USE_H

#include "figures.h"

/* The last answer about one VM, and when to ask again. It is all zeros at first. */
struct use {
	struct vm_use last;
	uint64_t next_ns;
};

/*
 * Returns whether this kernel counts it and we may read it. Says in @hook where it comes from, or
 * why not.
 */
bool use_probe(struct snapshot_hook *hook);

/*
 * Asks the kernel, which then walks all page tables of the VM with folder @dir. Does so seldom enough that
 * all @vms VMs take at most about a twentieth of a CPU. Otherwise, and once the folder is gone, keeps the
 * last answer.
 */
void use_read(struct use *use, const char *dir, size_t vms);

#endif
