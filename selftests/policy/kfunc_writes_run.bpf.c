// SPDX-License-Identifier: GPL-2.0
/*
 * kfunc_writes_run: has a kfunc write to the run that an iterator returned. Must be refused by the verifier:
 * it is read-only.
 */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(writes_run_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	union kvm_bpf_run *run;

	bpf_for_each(kvm_run, run, kvm, request->gfn_start, request->gfn_end)
		kvm_bpf_gfn_run(kvm, request->gfn_start, run);
	return 0;
}

MEMATTR_OPS(writes_run, convert);
