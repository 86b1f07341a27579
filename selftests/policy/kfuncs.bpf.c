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
#define EJECT_GFN	0x1f02
#define STRIPES_GFN	0x100000	/* every other page is private, 8192 in all */
#define GFN_END		(1ULL << 52)

/* From which callback kvm_bpf_eject() is called. */
enum {
	EJECT_CONVERT = 1,
	EJECT_ZAP,
	EJECT_ATTACH,
	EJECT_DETACH,
};

MEMATTR_PARAM(u32, eject, 0, "where to eject: 1 convert, 2 zap, 3 vm_attach, 4 vm_detach [0..4]");
MEMATTR_PARAM(s32, eject_ret, 0, "what convert returns then");

struct run_answer {
	s64 ret;
	u64 start, end, attributes;
};

struct runs_answer {
	s64 ret;
	u64 count, private_count, gaps, start, end;
	u64 third_start, third_end, third_attributes;
};

struct answers {
	u64 asked;
	u64 refused, requests_private;
	u64 attributes_before, attributes_first, attributes_last, attributes_behind;
	u64 attributes_top, attributes_beyond, attributes_max;
	struct run_answer run_first, run_inside, run_behind, run_zero, run_last, run_top;
	struct run_answer run_beyond, run_max;
	s64 huge_mixed, huge_private, huge_shared, huge_below_slot, huge_behind_slot;
	s64 huge_mixed_1g, huge_behind_1g, huge_top, huge_top_1g;
	s64 huge_beyond, huge_order_0, huge_order_8, huge_order_10, huge_order_27, huge_order_max;
	struct runs_answer runs, runs_inside, runs_top, runs_capped;
	struct runs_answer runs_empty, runs_turned, runs_beyond, runs_max, runs_all_beyond;
};

struct answers in_convert, in_zap;

static __always_inline void ask_run(struct run_answer *answer, struct kvm *kvm, u64 gfn)
{
	union kvm_bpf_run run = { { 1, 2, 3 } };

	answer->ret = kvm_bpf_gfn_run(kvm, gfn, &run);
	answer->start = run.start;
	answer->end = run.end;
	answer->attributes = run.attributes;
}

static __always_inline void ask_runs(struct runs_answer *answer, struct kvm *kvm, u64 start, u64 end)
{
	struct bpf_iter_kvm_run it;
	union kvm_bpf_run *run;

	answer->count = answer->private_count = answer->gaps = 0;
	answer->ret = bpf_iter_kvm_run_new(&it, kvm, start, end);
	while ((run = bpf_iter_kvm_run_next(&it))) {
		if (!answer->count)
			answer->start = run->start;
		else if (run->start != answer->end)
			answer->gaps++;
		answer->count++;
		answer->private_count += run->attributes == KVM_MEMORY_ATTRIBUTE_PRIVATE;
		answer->end = run->end;
		if (answer->count == 3) {
			answer->third_start = run->start;
			answer->third_end = run->end;
			answer->third_attributes = run->attributes;
		}
	}
	/* What has ended stays so. */
	if (bpf_iter_kvm_run_next(&it))
		answer->gaps++;
	bpf_iter_kvm_run_destroy(&it);
}

static __always_inline void ask(struct answers *a, struct kvm *kvm)
{
	a->asked++;
	a->refused = kvm->stat.generic.memattr_refused.counter;
	a->requests_private = kvm->stat.generic.memattr_requests_private.counter;

	a->attributes_before = kvm_bpf_gfn_attributes(kvm, 0x10ff);
	a->attributes_first = kvm_bpf_gfn_attributes(kvm, 0x1100);
	a->attributes_last = kvm_bpf_gfn_attributes(kvm, 0x110f);
	a->attributes_behind = kvm_bpf_gfn_attributes(kvm, 0x1110);
	a->attributes_top = kvm_bpf_gfn_attributes(kvm, GFN_END - 1);
	a->attributes_beyond = kvm_bpf_gfn_attributes(kvm, GFN_END + 0x1100);
	a->attributes_max = kvm_bpf_gfn_attributes(kvm, ~0ULL);

	ask_run(&a->run_first, kvm, 0x1100);
	ask_run(&a->run_inside, kvm, 0x1105);
	ask_run(&a->run_behind, kvm, 0x1110);
	ask_run(&a->run_zero, kvm, 0);
	ask_run(&a->run_last, kvm, STRIPES_GFN + 8191);
	ask_run(&a->run_top, kvm, GFN_END - 1);
	ask_run(&a->run_beyond, kvm, GFN_END);
	ask_run(&a->run_max, kvm, ~0ULL);

	a->huge_mixed = kvm_bpf_hugepage_state(kvm, 0x1105, 9);
	a->huge_private = kvm_bpf_hugepage_state(kvm, 0x15ff, 9);
	a->huge_shared = kvm_bpf_hugepage_state(kvm, 0x1200, 9);
	a->huge_below_slot = kvm_bpf_hugepage_state(kvm, 0xfff, 9);
	a->huge_behind_slot = kvm_bpf_hugepage_state(kvm, 0x2000, 9);
	a->huge_mixed_1g = kvm_bpf_hugepage_state(kvm, 0x1105, 18);
	a->huge_behind_1g = kvm_bpf_hugepage_state(kvm, 0x40000, 18);
	a->huge_top = kvm_bpf_hugepage_state(kvm, GFN_END - 1, 9);
	a->huge_top_1g = kvm_bpf_hugepage_state(kvm, GFN_END - 1, 18);
	a->huge_beyond = kvm_bpf_hugepage_state(kvm, GFN_END, 9);
	a->huge_order_0 = kvm_bpf_hugepage_state(kvm, 0x1105, 0);
	a->huge_order_8 = kvm_bpf_hugepage_state(kvm, 0x1105, 8);
	a->huge_order_10 = kvm_bpf_hugepage_state(kvm, 0x1105, 10);
	a->huge_order_27 = kvm_bpf_hugepage_state(kvm, 0x1105, 27);
	a->huge_order_max = kvm_bpf_hugepage_state(kvm, 0x1105, ~0U);

	ask_runs(&a->runs, kvm, 0x1000, 0x1800);
	ask_runs(&a->runs_inside, kvm, 0x1102, 0x1104);
	ask_runs(&a->runs_top, kvm, GFN_END - 1, GFN_END);
	ask_runs(&a->runs_capped, kvm, STRIPES_GFN, STRIPES_GFN + 8192);
	ask_runs(&a->runs_empty, kvm, 0x1100, 0x1100);
	ask_runs(&a->runs_turned, kvm, 0x1104, 0x1100);
	ask_runs(&a->runs_beyond, kvm, 0x1100, GFN_END + 1);
	ask_runs(&a->runs_max, kvm, 0, ~0ULL);
	ask_runs(&a->runs_all_beyond, kvm, GFN_END, GFN_END + 2);
}

int MEMATTR_CALLBACK(kfuncs_vm_attach, struct kvm *kvm)
{
	if (eject == EJECT_ATTACH)
		kvm_bpf_eject(kvm, 1, "in vm_attach");
	return 0;
}

void MEMATTR_CALLBACK(kfuncs_vm_detach, struct kvm *kvm, const struct kvm_memattr_exit *exit)
{
	if (eject == EJECT_DETACH)
		kvm_bpf_eject(kvm, 1, "in vm_detach");
}

int MEMATTR_CALLBACK(kfuncs_convert, struct kvm *kvm, const struct kvm_memattr_convert_ctx *request)
{
	if (request->gfn_start == REFUSE_GFN)
		return -EPERM;
	if (request->gfn_start == EJECT_GFN && eject == EJECT_CONVERT) {
		kvm_bpf_eject(kvm, -42, "Wants\tto leave\n\x1b[31m\xff, says convert");
		kvm_bpf_eject(kvm, -43, "only the first reason counts");
		return eject_ret;
	}
	if (request->gfn_start == ASK_GFN)
		ask(&in_convert, kvm);
	return 0;
}

int MEMATTR_CALLBACK(kfuncs_zap, struct kvm *kvm, struct kvm_memattr_zap_ctx *zap)
{
	if (zap->gfn_start == EJECT_GFN && eject == EJECT_ZAP)
		kvm_bpf_eject(kvm, 1LL << 40, "");
	if (zap->gfn_start == ASK_GFN)
		ask(&in_zap, kvm);
	return 0;
}

MEMATTR_OPS(kfuncs, vm_attach, vm_detach, convert, zap);
