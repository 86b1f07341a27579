// SPDX-License-Identifier: GPL-2.0
/*
 * stale_run: uses a run whose iterator is gone. Must be refused by the verifier, as the memory is
 * the program's stack, which has other uses by then.
 */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(stale_run_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	struct bpf_iter_kvm_run it;
	union kvm_bpf_run *run;
	int ret = 0;

	bpf_iter_kvm_run_new(&it, kvm, request->gfn_start, request->gfn_end);
	run = bpf_iter_kvm_run_next(&it);
	bpf_iter_kvm_run_destroy(&it);
	if (run)
		ret = run->attributes ? -EPERM : 0;
	return ret;
}

MEMATTR_OPS(stale_run, convert);
