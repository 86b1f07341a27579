// SPDX-License-Identifier: GPL-2.0
/* Every stage-2 fault, one by one: what prefault-trace's percentiles are compared with. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "dump.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	/* A million of them, so that none is lost however seldom they are fetched. */
	__uint(max_entries, 1 << 25);
} faults SEC(".maps");

__u64 lost;

struct kvm_vcpu;

SEC("tp_btf/kvm_stage2_fault")
int BPF_PROG(dump_fault, struct kvm_vcpu *vcpu, __u64 gpa, __u64 error_code, int level,
	     _Bool prefaulted, int ret, __u64 ns)
{
	struct dumped_fault fault = { .ns = ns, .pid = bpf_get_current_pid_tgid() >> 32 };

	if (bpf_ringbuf_output(&faults, &fault, sizeof(fault), BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}
