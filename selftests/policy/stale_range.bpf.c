// SPDX-License-Identifier: GPL-2.0
/*
 * stale_range: uses a range whose iterator is gone. Must be refused by the verifier, as the memory is
 * the program's stack, which has other uses by then.
 */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(stale_range_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	struct bpf_iter_kvm_attr_range it;
	union kvm_bpf_attr_range *range;
	int ret = 0;

	bpf_iter_kvm_attr_range_new(&it, kvm, request->gfn_start, request->gfn_end);
	range = bpf_iter_kvm_attr_range_next(&it);
	bpf_iter_kvm_attr_range_destroy(&it);
	if (range)
		ret = range->attributes ? -EPERM : 0;
	return ret;
}

MEMATTR_OPS(stale_range, convert);
