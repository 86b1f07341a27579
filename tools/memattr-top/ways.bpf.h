/* SPDX-License-Identifier: GPL-2.0 */
/*
 * By which way conversions come, and which of them undo another one. Only a view of conversions needs it, but a program of
 * its own would take as long to get called as to count.
 */
#ifndef MEMATTR_TOP_WAYS_BPF_H
#define MEMATTR_TOP_WAYS_BPF_H

#include "slots.bpf.h"

/* The collector turns this on and off. */
_Bool count_ways;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct kvm_memattr_convert_event {
	__u64 gfn_start, gfn_end;
	/* These come with conversion in place; older patched kernels do not have it. */
	__u64 ino, pgoff_start, pgoff_end, take_ns;
	__u64 attributes;
	__u64 effective_pages;
	__u64 lock_ns, policy_ns, zap_ns, store_ns;
	__s32 verdict;
	__s32 ret;
};
#pragma clang attribute pop

/* In place, the range is one of a file, and memslots may map any parts of it. */
static __always_inline _Bool is_in_place(const struct kvm_memattr_convert_event *ev)
{
	return bpf_core_field_exists(ev->ino) && ev->ino;
}

struct converted_range {
	__u64 ino;		/* of the file, if the range is one of its pages; 0: gfns */
	__u64 start, end;
	__u32 slot;		/* of the VM */
	__u32 pad;
};

struct last_conversion {
	__u64 at_ns;
	__u64 attributes;
	__u64 birth;		/* of the VM, whose slot may have been another one's */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WAYS_RANGES);
	__type(key, struct converted_range);
	__type(value, struct last_conversion);
} last_conversions SEC(".maps");

__u64 last_interval_ns;	/* when the interval before this one began */

static __always_inline void set_range(struct converted_range *range, const struct kvm_memattr_convert_event *ev)
{
	if (is_in_place(ev)) {
		range->ino = ev->ino;
		range->start = ev->pgoff_start;
		range->end = ev->pgoff_end;
	} else {
		range->start = ev->gfn_start;
		range->end = ev->gfn_end;
	}
}

/*
 * Returns whether it takes back what was last done to the same range, in this interval or the one before. Conversions
 * of one range come one after the other, so that what is known of it can be changed where it is, without the cost of an
 * update of the hash.
 */
static __always_inline _Bool undoes(const struct converted_range *range, const struct last_conversion *now)
{
	struct last_conversion *last = bpf_map_lookup_elem(&last_conversions, range);
	_Bool back;

	if (!last) {
		bpf_map_update_elem(&last_conversions, range, now, BPF_ANY);
		return 0;
	}
	back = last->birth == now->birth && last->attributes != now->attributes && last->at_ns >= last_interval_ns;
	*last = *now;
	return back;
}

/* After a conversion that has changed something. */
static __always_inline void count_way(struct top_counts *to, __u32 slot, const struct kvm_memattr_convert_event *ev,
				      __u64 end_ns)
{
	struct last_conversion now = { .at_ns = end_ns, .attributes = ev->attributes };
	struct vm_slot *vm = bpf_map_lookup_elem(&vms, &slot);
	struct converted_range range = { .slot = slot };

	if (!vm)
		return;
	set_range(&range, ev);
	if (range.ino)
		add(&to->by_gmem, 1);
	else
		add(&to->by_ioctl, 1);
	now.birth = vm->birth;
	if (undoes(&range, &now))
		add(&to->undone, 1);
}

#endif
