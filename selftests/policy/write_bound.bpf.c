// SPDX-License-Identifier: GPL-2.0
/* write_bound: moves the memslot's end, to map what lies past it; only the window is writable. */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(write_bound_prefault, struct kvm *kvm, struct kvm_memattr_prefault_ctx *mapped)
{
	mapped->slot_end += 512;
	return 0;
}

MEMATTR_OPS(write_bound, prefault);
