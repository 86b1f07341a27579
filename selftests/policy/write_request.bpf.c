// SPDX-License-Identifier: GPL-2.0
/*
 * write_request: moves every conversion to where it starts with gfn 0; requests are read-only.
 *
 * It writes where a zap's context has zap_start: what keeps it from that is its type, nothing else.
 */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(write_request_convert, struct kvm *kvm,
		     struct kvm_memattr_convert_ctx *request)
{
	request->gfn_start = 0;
	return 0;
}

MEMATTR_OPS(write_request, convert);
