// SPDX-License-Identifier: GPL-2.0
/*
 * faultaround: maps private memory ahead of a guest that walks through it.
 *
 * For: guests that use their private memory in order: at boot, in huge buffers, or when they start
 * to run all of their memory in.
 * Not for: guests that touch one page here and there for good: each fault costs a call of the
 * policy and gains nothing.
 *
 * The first touch of each 4 KiB page of guest_memfd costs the guest an exit. The policy watches
 * where faults come. For a fault right after what was mapped last, it maps the next pages as well,
 * twice as many each time. A page that is mapped and not used is memory that the host could have
 * kept, so the window closes after some faults elsewhere. A random walk maps nothing but what it
 * touches. If conversions or holes take memory away before the guest has used it, the window
 * halves, down to nothing.
 */
#include "memattr.bpf.h"

MEMATTR_PARAM(u32, min_pages, 16, "first window [1..512 pages]");
MEMATTR_PARAM(u32, max_pages, 512, "largest window [1..512 pages]");
MEMATTR_PARAM(u32, patience, 4, "faults elsewhere that end a walk [1..1000 faults]");
MEMATTR_PARAM(bool, alloc, true, "allocate memory that the guest has not used yet");

/* vCPUs that the policy follows at a time. Two that share a place only forget their walks. */
#define PLACES 4096

struct walk {
	u64 vm;		/* memattr_vm_key() */
	u64 next;	/* the first gfn past what was mapped for it */
	u64 other;	/* the gfn after the last fault elsewhere: maybe the next walk */
	u64 unused;	/* the VM's prefaulted_unused at the last window */
	u32 pages;	/* the last window */
	u32 misses;	/* faults elsewhere since then */
};

/* Each belongs to a vCPU, which does one fault at a time. */
static struct walk walks[PLACES];

int MEMATTR_CALLBACK(faultaround_vm_attach, struct kvm *kvm)
{
	return min_pages > max_pages ? -ERANGE : 0;
}

/* Spreads VMs over the places, whatever their keys have in common: times 2^32 / golden ratio. */
static u32 vm_hash(u64 vm)
{
	return (u32)vm * 0x9e3779b9 >> 8;
}

/*
 * Pages that were zapped untouched since the last window. It counts those of the whole VM, which is
 * near enough: few vCPUs walk at a time.
 */
static u64 wasted_pages(struct walk *walk, struct kvm *kvm)
{
	u64 unused = kvm->memattr_stat.prefaulted_unused.counter;
	/* Somebody may have reset the statistics. */
	u64 wasted = unused > walk->unused ? unused - walk->unused : 0;

	walk->unused = unused;
	return wasted;
}

int MEMATTR_CALLBACK(faultaround_prefault, struct kvm *kvm, struct kvm_memattr_prefault_ctx *fault)
{
	u64 vm = memattr_vm_key(kvm), gfn = fault->gfn_start;
	struct walk *walk;
	u32 pages;

	if (fault->reason != KVM_MEMATTR_PREFAULT_FAULT)
		return 0;

	walk = &walks[(vm_hash(vm) + fault->vcpu_id) % PLACES];
	if (walk->vm != vm) {
		walk->vm = vm;
		walk->next = 0;
		walk->other = 0;
		walk->pages = 0;
	}

	if (gfn == walk->next && walk->pages) {
		pages = wasted_pages(walk, kvm) * 2 > walk->pages ? walk->pages / 2 : walk->pages * 2;
	} else if (gfn == walk->other) {
		wasted_pages(walk, kvm);
		pages = min_pages;
	} else {
		walk->other = gfn + 1;
		if (++walk->misses >= patience)
			walk->pages = 0;
		return 0;
	}

	walk->misses = 0;
	walk->pages = pages > max_pages ? max_pages : pages;
	if (walk->pages < min_pages) {
		/* The next fault elsewhere, or here again, may begin another walk. */
		walk->pages = 0;
		walk->other = gfn + 1;
		return 0;
	}
	walk->next = gfn + 1 + walk->pages;
	fault->window_start = gfn + 1;
	fault->window_end = walk->next;
	if (alloc)
		fault->flags = KVM_MEMATTR_PREFAULT_ALLOC;
	return 0;
}

MEMATTR_OPS(faultaround, vm_attach, prefault);
