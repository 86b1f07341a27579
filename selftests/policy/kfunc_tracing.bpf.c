// SPDX-License-Identifier: GPL-2.0
/* kfunc_tracing: runs on each exit of a vCPU, and asks KVM about ranges. */
#include "memattr.bpf.h"

struct kvm_vcpu;

SEC("tp_btf/kvm_exit")
int BPF_PROG(kfunc_tracing_exit, struct kvm_vcpu *vcpu)
{
	union kvm_bpf_attr_range *range;

	if (!vcpu)
		return 0;
	bpf_for_each(kvm_attr_range, range, (struct kvm *)vcpu, 0, 1)
		return range->attributes;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
