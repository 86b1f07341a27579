// SPDX-License-Identifier: GPL-2.0
/*
 * template: allows everything and counts it. Copy this file for a policy of your own.
 *
 * For: learning how to write a policy, and measuring what it costs to call one.
 * Not for: governing anything: it never refuses a conversion and never widens a zap.
 *
 * It counts for each VM. "bpftool map dump name template_vms" shows the counts.
 */
#include "memattr.bpf.h"

MEMATTR_PARAM(bool, count, true, "count conversions and zaps per VM");

struct template_vm {
	u64 to_private;		/* conversions asked for */
	u64 to_shared;
	u64 zaps;
};

MEMATTR_VM_STATE(template, struct template_vm);

int MEMATTR_CALLBACK(template_vm_attach, struct kvm *kvm)
{
	struct template_vm vm = {};

	/* A VM whose state finds no room is not governed. */
	return template_add_vm(kvm, &vm);
}

int MEMATTR_CALLBACK(template_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	struct template_vm *vm = template_vm(kvm);

	if (vm && count) {
		if (request->attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE)
			__sync_fetch_and_add(&vm->to_private, 1);
		else
			__sync_fetch_and_add(&vm->to_shared, 1);
	}

	/*
	 * Decide here, by request->gfn_start, gfn_end and attributes. To refuse, return -EAGAIN (the
	 * VMM should try again later), -EPERM or -EACCES (never), -EBUSY or -ENOSPC.
	 */
	return 0;
}

int MEMATTR_CALLBACK(template_zap, struct kvm *kvm, struct kvm_memattr_zap_ctx *zap)
{
	struct template_vm *vm = template_vm(kvm);

	if (vm && count)
		__sync_fetch_and_add(&vm->zaps, 1);

	/*
	 * Decide here: to zap more than what changes, lower zap->zap_start as far as zap->slot_start,
	 * or raise zap->zap_end as far as zap->slot_end. zap->uniform names the huge pages for which
	 * that can pay.
	 */
	return 0;
}

MEMATTR_OPS(template, vm_attach, vm_detach, convert, zap);
