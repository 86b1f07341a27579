// SPDX-License-Identifier: GPL-2.0
/*
 * memattr-top's programs for exits and entries, at a tracepoint that a program can call, with a vCPU that exists. Its
 * exit reason is some number of the kernel's, found by as many reads as a real one.
 */
#include "memattr-top.bpf.c"

/* Calls the tracepoint below. Linux 6.10 */
extern int bpf_modify_return_test_tp(int nonce) __ksym;

__u64 vcpu;		/* struct kvm_vcpu */
__u32 calls;		/* in one run of call_all() */

static __always_inline struct kvm_vcpu *the_vcpu(void)
{
	return bpf_core_cast((void *)vcpu, struct kvm_vcpu);
}

SEC("iter/task_file")
int find_vcpu(struct bpf_iter__task_file *it)
{
	struct file *opened = it->file;
	struct file___of_file *file = (void *)opened;
	char name[FILE_NAME_LEN] = "";

	if (!opened || !kvm_of_file(opened))
		return 0;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	if (is_name(name, "kvm-vcpu:", sizeof("kvm-vcpu:") - 1))
		vcpu = (__u64)BPF_CORE_READ(file, private_data);
	return 0;
}

SEC("tp_btf/bpf_trigger_tp")
int BPF_PROG(nothing, int nonce)
{
	return 0;
}

SEC("tp_btf/bpf_trigger_tp")
int BPF_PROG(exit_only, int nonce)
{
	return ____count_exit(ctx, the_vcpu(), REASON_SVM);
}

/* Exits and entries in turn. */
SEC("tp_btf/bpf_trigger_tp")
int BPF_PROG(exit_and_entry, int nonce)
{
	if (nonce & 1)
		return ____end_exit(ctx, the_vcpu());
	return ____count_exit(ctx, the_vcpu(), REASON_SVM);
}

static long call_once(__u32 i, void *unused)
{
	bpf_modify_return_test_tp(i);
	return 0;
}

SEC("raw_tp")
int call_all(void *ctx)
{
	bpf_loop(calls, call_once, NULL, 0);
	return 0;
}
