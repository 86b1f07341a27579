// SPDX-License-Identifier: GPL-2.0
/* write_slot: moves the memslot's end, to zap past it; only the zap's range is writable. */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(write_slot_zap, struct kvm *kvm, struct kvm_memattr_zap_ctx *zap)
{
	zap->slot_end += 512;
	return 0;
}

MEMATTR_OPS(write_slot, zap);
