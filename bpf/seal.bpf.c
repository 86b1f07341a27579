// SPDX-License-Identifier: GPL-2.0
/*
 * seal: from some moment on, no memory can be set shared, except in given windows.
 *
 * A guest shares what it needs for its devices while it boots. Later conversions to shared are rare,
 * and one that nobody expects may be a guest that is being talked into giving its memory away. The
 * moment is the one at which the policy is attached, or comes when nothing outside of the windows was
 * set shared for a while (quiet_ms), or when the operator says so, by an update of the policy to itself
 * with quiet_ms=0. Windows are where the guest's bounce buffers are, such as its swiotlb. A refused
 * conversion fails with -EPERM, also if the memory is shared already; conversions to private are always
 * allowed.
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
	      "seal when nothing outside of the windows was shared for so long; 0: at once [0..86400000 ms]");
MEMATTR_PARAM(u64, window1, 0, "first guest physical address of a window [bytes]");
MEMATTR_PARAM(u64, window1_size, 0, "its size; 0: no window [bytes]");
MEMATTR_PARAM(u64, window2, 0, "another one [bytes]");
MEMATTR_PARAM(u64, window2_size, 0, "its size; 0: no window [bytes]");

struct seal_vm {
	struct bpf_spin_lock lock;	/* vCPUs convert at the same time */
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
	int ret;

	if (request->attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE)
		return 0;
	if (is_inside(request, window1, window1_size) || is_inside(request, window2, window2_size))
		return 0;

	/* Without its state a VM is not to be trusted. */
	vm = bpf_map_lookup_elem(&seal_vms, &key);
	if (!vm)
		return -EPERM;

	bpf_spin_lock(&vm->lock);
	if (now_ns > vm->shared_ns) {
		if (now_ns - vm->shared_ns >= quiet_ms * NSEC_PER_MSEC)
			vm->sealed = true;
		else
			vm->shared_ns = now_ns;
	}
	ret = vm->sealed ? -EPERM : 0;
	bpf_spin_unlock(&vm->lock);
	return ret;
}

MEMATTR_OPS(seal,
	.vm_attach = (void *)seal_vm_attach,
	.vm_detach = (void *)seal_vm_detach,
	.convert = (void *)seal_convert,
);
