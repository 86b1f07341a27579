// SPDX-License-Identifier: GPL-2.0
/*
 * template: allows everything and counts it. The file to copy for a policy of your own.
 *
 * For: learning how a policy is built, and measuring what calling one costs.
 * Not for: governing anything; it never refuses a conversion and never widens a zap.
 *
 * The counts are per VM, to be read with: bpftool map dump name template_vms
 */
#include "memattr.bpf.h"

/* VMs on one host that can be under the policy at a time. An entry takes some 100 bytes. */
#define MAX_VMS 4096

MEMATTR_PARAM(bool, count, true, "count conversions and zaps per VM");

struct template_vm {
	u64 to_private;		/* conversions asked for */
	u64 to_shared;
	u64 zaps;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_VMS);
	__type(key, u64);		/* address of struct kvm */
	__type(value, struct template_vm);
} template_vms SEC(".maps");

SEC("struct_ops/vm_attach")
int BPF_PROG(template_vm_attach, struct kvm *kvm)
{
	struct template_vm vm = {};
	u64 key = (u64)kvm;

	/* Fails when the map is full: a VM we cannot keep state for is one we do not govern. */
	return bpf_map_update_elem(&template_vms, &key, &vm, BPF_NOEXIST);
}

SEC("struct_ops/vm_detach")
void BPF_PROG(template_vm_detach, struct kvm *kvm, const struct kvm_memattr_exit *exit)
{
	u64 key = (u64)kvm;

	bpf_map_delete_elem(&template_vms, &key);
}

SEC("struct_ops/convert")
int BPF_PROG(template_convert, struct kvm *kvm, const struct kvm_memattr_convert_ctx *request)
{
	u64 key = (u64)kvm;
	struct template_vm *vm = bpf_map_lookup_elem(&template_vms, &key);

	if (vm && count) {
		if (request->attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE)
			__sync_fetch_and_add(&vm->to_private, 1);
		else
			__sync_fetch_and_add(&vm->to_shared, 1);
	}

	/*
	 * Decide here: look at request->gfn_start, gfn_end and attributes. To refuse, return
	 * -EAGAIN (the VMM is to try again later), -EPERM or -EACCES (never), -EBUSY or -ENOSPC.
	 */
	return 0;
}

SEC("struct_ops/zap")
int BPF_PROG(template_zap, struct kvm *kvm, struct kvm_memattr_zap_ctx *zap)
{
	u64 key = (u64)kvm;
	struct template_vm *vm = bpf_map_lookup_elem(&template_vms, &key);

	if (vm && count)
		__sync_fetch_and_add(&vm->zaps, 1);

	/*
	 * Decide here: lower zap->zap_start or raise zap->zap_end to zap more than what changes,
	 * down to zap->slot_start and up to zap->slot_end. zap->uniform tells at which huge pages
	 * that may pay.
	 */
	return 0;
}

MEMATTR_OPS(template,
	.vm_attach = (void *)template_vm_attach,
	.vm_detach = (void *)template_vm_detach,
	.convert = (void *)template_convert,
	.zap = (void *)template_zap,
);
