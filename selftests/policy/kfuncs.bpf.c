// SPDX-License-Identifier: GPL-2.0
/*
 * kfuncs: asks everything that a policy can ask, in convert and in zap, when a conversion of page
 * ASK_GFN comes. The answers are in its .bss, where bpftool finds them by name.
 *
 * For: 39-kfuncs.t, which makes the layout that is asked about.
 */
#include "memattr.bpf.h"

#define ASK_GFN		0x1f00
#define REFUSE_GFN	0x1f01
#define STRIPES_GFN	0x100000	/* every other page is private, 8192 in all */
#define GFN_END		(1ULL << 52)
#define NO_ANSWER	(~0ULL)

struct ranges_answer {
	s64 ret;
	u64 count, private_count, gaps, start, end;
	u64 third_start, third_end, third_attributes;
};

struct answers {
	u64 asked;
	u64 refused, requests_private;
	u64 attributes_before, attributes_first, attributes_last, attributes_past, attributes_top;
	struct ranges_answer ranges, ranges_inside, ranges_top, ranges_capped;
	struct ranges_answer ranges_empty, ranges_turned, ranges_beyond, ranges_max, ranges_all_beyond;
};

struct answers in_convert, in_zap;

static __always_inline void ask_ranges(struct ranges_answer *answer, struct kvm *kvm, u64 start, u64 end)
{
	struct bpf_iter_kvm_attr_range it;
	union kvm_bpf_attr_range *range;

	answer->count = answer->private_count = answer->gaps = 0;
	answer->ret = bpf_iter_kvm_attr_range_new(&it, kvm, start, end);
	while ((range = bpf_iter_kvm_attr_range_next(&it))) {
		if (!answer->count)
			answer->start = range->start;
		else if (range->start != answer->end)
			answer->gaps++;
		answer->count++;
		answer->private_count += range->attributes == KVM_MEMORY_ATTRIBUTE_PRIVATE;
		answer->end = range->end;
		if (answer->count == 3) {
			answer->third_start = range->start;
			answer->third_end = range->end;
			answer->third_attributes = range->attributes;
		}
	}
	/* What has ended stays so. */
	if (bpf_iter_kvm_attr_range_next(&it))
		answer->gaps++;
	bpf_iter_kvm_attr_range_destroy(&it);
}

/* The attributes of one page, or NO_ANSWER. */
static __always_inline u64 ask_page(struct kvm *kvm, u64 gfn)
{
	union kvm_bpf_attr_range *range;
	u64 attributes = NO_ANSWER;

	bpf_for_each(kvm_attr_range, range, kvm, gfn, gfn + 1)
		attributes = range->attributes;
	return attributes;
}

static __always_inline void ask(struct answers *a, struct kvm *kvm)
{
	a->asked++;
	a->refused = kvm->memattr_stat.memattr_refused.counter;
	a->requests_private = kvm->memattr_stat.memattr_requests_private.counter;

	a->attributes_before = ask_page(kvm, 0x10ff);
	a->attributes_first = ask_page(kvm, 0x1100);
	a->attributes_last = ask_page(kvm, 0x110f);
	a->attributes_past = ask_page(kvm, 0x1110);
	a->attributes_top = ask_page(kvm, GFN_END - 1);

	ask_ranges(&a->ranges, kvm, 0x1000, 0x1800);
	ask_ranges(&a->ranges_inside, kvm, 0x1102, 0x1104);
	ask_ranges(&a->ranges_top, kvm, GFN_END - 1, GFN_END);
	ask_ranges(&a->ranges_capped, kvm, STRIPES_GFN, STRIPES_GFN + 8192);
	ask_ranges(&a->ranges_empty, kvm, 0x1100, 0x1100);
	ask_ranges(&a->ranges_turned, kvm, 0x1104, 0x1100);
	ask_ranges(&a->ranges_beyond, kvm, 0x1100, GFN_END + 1);
	ask_ranges(&a->ranges_max, kvm, 0, ~0ULL);
	ask_ranges(&a->ranges_all_beyond, kvm, GFN_END, GFN_END + 2);
}

int MEMATTR_CALLBACK(kfuncs_convert, struct kvm *kvm, const struct kvm_memattr_convert_ctx *request)
{
	if (request->gfn_start == REFUSE_GFN)
		return -EPERM;
	if (request->gfn_start == ASK_GFN)
		ask(&in_convert, kvm);
	return 0;
}

int MEMATTR_CALLBACK(kfuncs_zap, struct kvm *kvm, struct kvm_memattr_zap_ctx *zap)
{
	if (zap->gfn_start == ASK_GFN)
		ask(&in_zap, kvm);
	return 0;
}

MEMATTR_OPS(kfuncs, convert, zap);
