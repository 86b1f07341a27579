// SPDX-License-Identifier: GPL-2.0
/* no_policy: a BPF object like any other, with nothing in it for KVM. */
#include "memattr.bpf.h"

SEC("raw_tp/sys_enter")
int no_policy(void *context)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
