// SPDX-License-Identifier: GPL-2.0
/* write_half: writes to the lower half of where a window ends; fields are written to as a whole. */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(write_half_prefault, struct kvm *kvm, struct kvm_memattr_prefault_ctx *mapped)
{
	*(u32 *)&mapped->window_end = 0;
	return 0;
}

MEMATTR_OPS(write_half, prefault);
