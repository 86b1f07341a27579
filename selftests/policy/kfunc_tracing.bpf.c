// SPDX-License-Identifier: GPL-2.0
/* kfunc_tracing: looks at KVM's exits, and asks for a VM's attributes. */
#include "memattr.bpf.h"

struct kvm_vcpu;

SEC("tp_btf/kvm_exit")
int BPF_PROG(kfunc_tracing_exit, struct kvm_vcpu *vcpu)
{
	return vcpu && kvm_bpf_gfn_attributes((struct kvm *)vcpu, 0);
}

char LICENSE[] SEC("license") = "GPL";
