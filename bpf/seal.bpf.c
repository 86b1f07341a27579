// SPDX-License-Identifier: GPL-2.0
/*
 * seal: refuses conversions to shared from some moment on, except in given windows.
 *
 * For: guests that share what they need for their devices while they boot. If such a guest shares
 * more memory later, somebody may have tricked it into giving its memory away. The windows should
 * cover the guest's bounce buffers, such as its swiotlb.
 * Not for: guests that share memory anywhere, as Linux does for coherent DMA without a pool. The
 * policy is also not a barrier against the VMM, which can replace a memslot without asking the
 * guest.
 *
 * The policy seals a VM as soon as it is attached. With quiet_ms it waits until nothing outside the
 * windows was set shared for that long. The operator can seal earlier, by an update to the same
 * policy with quiet_ms=0. A refused conversion fails with -EPERM, even if the memory is shared
 * already. Conversions to private are always allowed. If one load governs more than 4096 VMs, or
 * the host is short of memory, the policy seals those that have no room in its map at once.
 */
#include "memattr.bpf.h"

#define NSEC_PER_MSEC 1000000ULL
#define PAGE_SHIFT 12

MEMATTR_PARAM(u32, quiet_ms, 0,
	      "seal when nothing outside the windows was shared for this long; 0: at once [0..86400000 ms]");
MEMATTR_PARAM(u64, window1, 0, "first guest physical address of a window [bytes]");
MEMATTR_PARAM(u64, window1_size, 0, "its size; 0: no window [bytes]");
MEMATTR_PARAM(u64, window2, 0, "another one [bytes]");
MEMATTR_PARAM(u64, window2_size, 0, "its size; 0: no window [bytes]");

struct seal_state {
	struct bpf_spin_lock lock;	/* vCPUs convert at the same time */
	u64 shared_ns;			/* when something was shared last */
	u32 sealed;
};

MEMATTR_VM_STATE(seal, struct seal_state);

int MEMATTR_CALLBACK(seal_vm_attach, struct kvm *kvm)
{
	struct seal_state vm = {};

	/* A window must not wrap around the end of the address space. */
	if (window1 + window1_size < window1 || window2 + window2_size < window2)
		return -ERANGE;

	vm.shared_ns = bpf_ktime_get_ns();
	vm.sealed = !quiet_ms;
	/* Whatever the error is, convert then seals the VM at once. A refused VM would stay unsealed. */
	seal_add_vm(kvm, &vm);
	return 0;
}

/* Pages of a guest_memfd that no memslot maps have no address, and lie in no window. */
static bool is_inside(const struct kvm_memattr_convert_ctx *request, u64 window, u64 size)
{
	return request->gfn_start != KVM_MEMATTR_NO_GFN &&
	       request->gfn_start << PAGE_SHIFT >= window &&
	       request->gfn_end << PAGE_SHIFT <= window + size;
}

int MEMATTR_CALLBACK(seal_convert, struct kvm *kvm, const struct kvm_memattr_convert_ctx *request)
{
	u64 now_ns = bpf_ktime_get_ns();
	struct seal_state *vm;
	int ret;

	if (request->attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE)
		return 0;
	if (is_inside(request, window1, window1_size) || is_inside(request, window2, window2_size))
		return 0;

	/* Nobody knows when a VM without state last shared something: it may be long ago. */
	vm = seal_vm(kvm);
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

MEMATTR_OPS(seal, vm_attach, vm_detach, convert);
