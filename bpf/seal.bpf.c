// SPDX-License-Identifier: GPL-2.0
/*
 * seal: from some moment on, no memory turns from private to shared, except in given windows.
 *
 * A guest shares what it needs for its devices while it boots. Later conversions to shared are rare,
 * and one that nobody expects may be a guest that is being talked into giving its memory away. The
 * moment is the one at which the policy is attached, or comes when the guest has not shared anything
 * for a while (quiet_ms). Windows are where the guest's bounce buffers are, such as its swiotlb. A
 * refused conversion fails with -EPERM; conversions to private are always allowed.
 *
 * Not for: guests that share memory wherever they happen to have some, as Linux does for coherent
 * DMA without a pool. And it is no wall against the VMM, which does not need the guest's consent to
 * replace a memslot.
 */
#include "memattr.bpf.h"

/* VMs on one host that can be under the policy at a time. An entry takes some 100 bytes. */
#define MAX_VMS 4096

#define NSEC_PER_MSEC 1000000ULL
#define PAGE_SHIFT 12

MEMATTR_PARAM(u32, quiet_ms, 0,
	      "seal when nothing was shared for so long; 0: when attached [0..86400000 ms]");
MEMATTR_PARAM(u64, window1, 0, "first guest physical address of a window [bytes]");
MEMATTR_PARAM(u64, window1_size, 0, "its size; 0: no window [bytes]");
MEMATTR_PARAM(u64, window2, 0, "another one [bytes]");
MEMATTR_PARAM(u64, window2_size, 0, "its size; 0: no window [bytes]");

struct seal_vm {
	u64 shared_ns;			/* when something was shared last */
	u32 sealed;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_VMS);
	__type(key, u64);		/* address of struct kvm */
	__type(value, struct seal_vm);
} seal_vms SEC(".maps");

SEC("struct_ops/vm_attach")
int BPF_PROG(seal_vm_attach, struct kvm *kvm)
{
	struct seal_vm vm = {};
	u64 key = (u64)kvm;

	/* A window that ends where addresses begin again is none. */
	if (window1 + window1_size < window1 || window2 + window2_size < window2)
		return -ERANGE;

	vm.shared_ns = bpf_ktime_get_ns();
	vm.sealed = !quiet_ms;
	return bpf_map_update_elem(&seal_vms, &key, &vm, BPF_NOEXIST);
}

SEC("struct_ops/vm_detach")
void BPF_PROG(seal_vm_detach, struct kvm *kvm, const struct kvm_memattr_exit *exit)
{
	u64 key = (u64)kvm;

	bpf_map_delete_elem(&seal_vms, &key);
}

static bool is_inside(const struct kvm_memattr_convert_ctx *request, u64 window, u64 size)
{
	return request->gfn_start << PAGE_SHIFT >= window &&
	       request->gfn_end << PAGE_SHIFT <= window + size;
}

SEC("struct_ops/convert")
int BPF_PROG(seal_convert, struct kvm *kvm, const struct kvm_memattr_convert_ctx *request)
{
	u64 key = (u64)kvm, now_ns = bpf_ktime_get_ns();
	struct seal_vm *vm;

	if (request->attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE)
		return 0;
	if (is_inside(request, window1, window1_size) || is_inside(request, window2, window2_size))
		return 0;

	/* Without its state a VM is not to be trusted. */
	vm = bpf_map_lookup_elem(&seal_vms, &key);
	if (!vm)
		return -EPERM;

	/* Once sealed, sealed: of vCPUs that race here, at worst one is late by its race. */
	if (!vm->sealed && now_ns > vm->shared_ns &&
	    now_ns - vm->shared_ns >= quiet_ms * NSEC_PER_MSEC)
		vm->sealed = true;
	if (vm->sealed)
		return -EPERM;
	vm->shared_ns = now_ns;
	return 0;
}

MEMATTR_OPS(seal,
	.vm_attach = (void *)seal_vm_attach,
	.vm_detach = (void *)seal_vm_detach,
	.convert = (void *)seal_convert,
);
