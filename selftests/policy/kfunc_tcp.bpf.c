// SPDX-License-Identifier: GPL-2.0
/* kfunc_tcp: a struct_ops program for TCP congestion control, which asks KVM about ranges. */
#include "memattr.bpf.h"

struct sock;

struct tcp_congestion_ops {
	u32 (*ssthresh)(struct sock *sk);
	char name[16];
} __attribute__((preserve_access_index));

SEC("struct_ops/ssthresh")
u32 BPF_PROG(kfunc_tcp_ssthresh, struct sock *sk)
{
	union kvm_bpf_attr_range *range;

	bpf_for_each(kvm_attr_range, range, (struct kvm *)sk, 0, 1)
		return range->attributes;
	return 0;
}

SEC(".struct_ops.link")
struct tcp_congestion_ops kfunc_tcp = {
	.ssthresh = (void *)kfunc_tcp_ssthresh,
	.name = "kfunc_tcp",
};
char LICENSE[] SEC("license") = "GPL";
