/* SPDX-License-Identifier: GPL-2.0 */
/*
 * By which way conversions come, and which of them undo another one. Only a view of conversions needs it, so that it is
 * a program of its own.
 */
#ifndef MEMATTR_TOP_WAYS_BPF_H
#define MEMATTR_TOP_WAYS_BPF_H

#include "slots.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct kvm_memattr_convert_event___ways {
	__u64 gfn_start, gfn_end;
	/* These come with conversion in place; older patched kernels do not have it. */
	__u64 ino, pgoff_start, pgoff_end;
	__u64 attributes;
	__u64 effective_pages;
	__s32 ret;
};
#pragma clang attribute pop

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

static void set_range(struct converted_range *range, const struct kvm_memattr_convert_event___ways *ev)
{
	if (bpf_core_field_exists(ev->ino) && ev->ino) {
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
static _Bool undoes(const struct converted_range *range, __u64 birth, __u64 attributes)
{
	struct last_conversion now = { .at_ns = bpf_ktime_get_ns(), .attributes = attributes, .birth = birth };
	struct last_conversion *last = bpf_map_lookup_elem(&last_conversions, range);
	_Bool back;

	if (!last) {
		bpf_map_update_elem(&last_conversions, range, &now, BPF_ANY);
		return 0;
	}
	back = last->birth == birth && last->attributes != attributes && last->at_ns >= last_interval_ns;
	*last = now;
	return back;
}

SEC("tp_btf/kvm_memattr_convert")
int BPF_PROG(count_way, struct kvm *kvm, const struct kvm_memattr_convert_event___ways *ev)
{
	struct top_cpu *cpu = kvm && ev ? this_cpu() : NULL;
	struct converted_range range = {};
	struct top_counts *to;
	struct vm_slot *vm;

	if (!cpu || !ev || ev->ret || !ev->effective_pages)
		return 0;
	range.slot = slot_here(cpu, kvm);
	to = bpf_map_lookup_elem(&counts, &range.slot);
	vm = bpf_map_lookup_elem(&vms, &range.slot);
	if (!to || !vm)
		return 0;
	set_range(&range, ev);
	if (range.ino)
		add(&to->by_gmem, 1);
	else
		add(&to->by_ioctl, 1);
	if (undoes(&range, vm->birth, ev->attributes))
		add(&to->undone, 1);
	return 0;
}

#endif
