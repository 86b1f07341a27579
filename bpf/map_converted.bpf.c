// SPDX-License-Identifier: GPL-2.0
/*
 * map_converted: maps memory that the guest has just made private.
 *
 * A guest that accepts memory touches it next, and each page costs it an exit. This policy asks KVM
 * to map what a conversion made private before the guest goes on.
 *
 * For: guests that accept their memory in pieces when they need it.
 * Not for: guests that convert memory long before they use it: the memory is allocated for nothing
 * until then. Large conversions are left alone: they are how a VMM sets up its guest.
 */
#include "memattr.bpf.h"

MEMATTR_PARAM(u32, max_pages, KVM_MEMATTR_PREFAULT_MAX_PAGES,
	      "leave larger conversions alone [1..512 pages]");

int MEMATTR_CALLBACK(map_converted_prefault, struct kvm *kvm,
		     struct kvm_memattr_prefault_ctx *converted)
{
	if (converted->reason != KVM_MEMATTR_PREFAULT_CONVERT ||
	    converted->gfn_end - converted->gfn_start > max_pages)
		return 0;

	converted->window_end = converted->gfn_end;
	converted->flags = KVM_MEMATTR_PREFAULT_ALLOC;
	return 0;
}

MEMATTR_OPS(map_converted, prefault);
