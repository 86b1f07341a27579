// SPDX-License-Identifier: GPL-2.0
/* Counts by VM and kind how policies left, as the tracepoint kvm_memattr_exit says. No policy. */
#include "memattr.bpf.h"
#include "exits.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EXITS_MAX);
	__type(key, struct exits_key);
	__type(value, u64);
} exits SEC(".maps");

u64 without_reason;	/* the kind is none of those known, or the text is empty */
u64 lost;		/* for want of room in the map */

SEC("tp_btf/kvm_memattr_exit")
int BPF_PROG(exits_count, struct kvm *kvm, const char *policy, const struct kvm_memattr_exit *exit)
{
	struct exits_key key;
	u64 zero = 0, *value;

	if (!kvm || !exit)
		return 0;
	key.vm_pid = kvm->userspace_pid;
	key.kind = exit->kind;
	if (!exit_kind_is_known(exit->kind) || !exit->text[0])
		__sync_fetch_and_add(&without_reason, 1);
	bpf_map_update_elem(&exits, &key, &zero, BPF_NOEXIST);
	value = bpf_map_lookup_elem(&exits, &key);
	if (value)
		__sync_fetch_and_add(value, 1);
	else
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
