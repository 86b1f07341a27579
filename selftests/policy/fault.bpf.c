// SPDX-License-Identifier: GPL-2.0
/*
 * fault: does what a policy must not do, as its parameters say. With none set, it allows all.
 *
 * For: tests of what the kernel does with a broken policy.
 * Not for: anything else.
 */
#include "memattr.bpf.h"

MEMATTR_PARAM(s32, attach_ret, 0, "what vm_attach returns");
MEMATTR_PARAM(s32, convert_ret, 0, "what convert returns");
MEMATTR_PARAM(s32, zap_ret, 0, "what zap returns");
MEMATTR_PARAM(s64, zap_start_add, 0, "added to zap_start [-1000000..1000000 pages]");
MEMATTR_PARAM(s64, zap_end_add, 0, "added to zap_end [-1000000..1000000 pages]");
MEMATTR_PARAM(u32, attach_turns, 0, "turns vm_attach takes in a loop [0..8000000 turns]");
MEMATTR_PARAM(u32, turns, 0, "turns convert, prefault and gmem_block take in a loop [0..8000000 turns]");
MEMATTR_PARAM(s32, prefault_ret, 0, "what prefault returns");
MEMATTR_PARAM(s64, window_start_add, 0, "added to window_start [-1000000..1000000 pages]");
MEMATTR_PARAM(s64, window_end_add, 0, "added to window_end [-1000000..1000000 pages]");
MEMATTR_PARAM(u32, window_flags, 0, "what prefault sets in flags");
MEMATTR_PARAM(s32, gmem_fault_ret, 0, "what gmem_fault returns");
MEMATTR_PARAM(s32, gmem_block_ret, 0, "what gmem_block returns");
/* Of types and units that no other policy has. */
MEMATTR_PARAM(u64, pause_us, 0, "unused, a time [0..5000000 us]");
MEMATTR_PARAM(bool, flag, true, "unused, a truth value");

static int turn(u32 index, void *context)
{
	return 0;
}

int MEMATTR_CALLBACK(fault_vm_attach, struct kvm *kvm)
{
	bpf_loop(attach_turns, turn, NULL, 0);
	return attach_ret;
}

int MEMATTR_CALLBACK(fault_convert, struct kvm *kvm, const struct kvm_memattr_convert_ctx *request)
{
	bpf_loop(turns, turn, NULL, 0);
	return convert_ret;
}

int MEMATTR_CALLBACK(fault_zap, struct kvm *kvm, struct kvm_memattr_zap_ctx *zap)
{
	zap->zap_start += zap_start_add;
	zap->zap_end += zap_end_add;
	return zap_ret;
}

int MEMATTR_CALLBACK(fault_prefault, struct kvm *kvm, struct kvm_memattr_prefault_ctx *mapped)
{
	bpf_loop(turns, turn, NULL, 0);
	mapped->window_start += window_start_add;
	mapped->window_end += window_end_add;
	mapped->flags = window_flags;
	return prefault_ret;
}

int MEMATTR_CALLBACK(fault_gmem_fault, struct kvm *kvm, const struct kvm_memattr_gmem_fault_ctx *access)
{
	return gmem_fault_ret;
}

int MEMATTR_CALLBACK(fault_gmem_block, struct kvm *kvm, const struct kvm_memattr_gmem_block_ctx *block)
{
	bpf_loop(turns, turn, NULL, 0);
	return gmem_block_ret;
}

MEMATTR_OPS(fault, vm_attach, convert, zap, prefault, gmem_fault, gmem_block);
