// SPDX-License-Identifier: GPL-2.0
/* kfunc_tcp: a policy for something else, congestion of TCP, that asks KVM. */
#include "memattr.bpf.h"

struct sock;

struct tcp_congestion_ops {
	u32 (*ssthresh)(struct sock *sk);
	char name[16];
} __attribute__((preserve_access_index));

SEC("struct_ops/ssthresh")
u32 BPF_PROG(kfunc_tcp_ssthresh, struct sock *sk)
{
	return kvm_bpf_gfn_attributes((struct kvm *)sk, 0);
}

SEC(".struct_ops.link")
struct tcp_congestion_ops kfunc_tcp = {
	.ssthresh = (void *)kfunc_tcp_ssthresh,
	.name = "kfunc_tcp",
};
char LICENSE[] SEC("license") = "GPL";
