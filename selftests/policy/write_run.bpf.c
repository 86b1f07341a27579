// SPDX-License-Identifier: GPL-2.0
/* write_run: writes to the run that an iterator returns; it is KVM's. */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(write_run_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	union kvm_bpf_run *run;

	bpf_for_each(kvm_run, run, kvm, request->gfn_start, request->gfn_end)
		run->attributes = 0;
	return 0;
}

MEMATTR_OPS(write_run, convert);
