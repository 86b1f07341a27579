// SPDX-License-Identifier: GPL-2.0
/* write_range: writes to the range that an iterator returns; it is KVM's. */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(write_range_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	union kvm_bpf_attr_range *range;

	bpf_for_each(kvm_attr_range, range, kvm, request->gfn_start, request->gfn_end)
		range->attributes = 0;
	return 0;
}

MEMATTR_OPS(write_range, convert);
