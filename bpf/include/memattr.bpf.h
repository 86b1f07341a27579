/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a policy for KVM's memory attributes is written with. A policy is one .bpf.c file that
 * includes this header; template.bpf.c shows how one looks, memattr-policy(8) loads it.
 *
 * The types are those of the patched kernel. They are relocated against the running kernel's BTF
 * when the policy is loaded (preserve_access_index), so there is no vmlinux.h to generate, and one
 * object fits KVM as a module and KVM built in.
 */
#ifndef MEMATTR_BPF_H
#define MEMATTR_BPF_H

#include <linux/bpf.h>
#include <linux/errno.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s8 s8;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;

/* In the attributes of a conversion: the pages become private; without it, shared. */
#ifndef KVM_MEMORY_ATTRIBUTE_PRIVATE
#define KVM_MEMORY_ATTRIBUTE_PRIVATE (1ULL << 3)
#endif

#define KVM_MEMATTR_NAME_LEN 16

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	s64 counter;
} atomic64_t;

/*
 * What KVM counts for each VM, with and without a policy. To be read where they are:
 * kvm->stat.generic.memattr_refused.counter
 */
struct kvm_vm_stat_generic {
	atomic64_t memattr_requests_private;	/* valid KVM_SET_MEMORY_ATTRIBUTES, by direction */
	atomic64_t memattr_requests_shared;
	atomic64_t memattr_refused;		/* those that a policy refused */
	atomic64_t memattr_noops;		/* those that had nothing to change */
	atomic64_t memattr_pages_private;	/* pages whose attributes changed, by direction */
	atomic64_t memattr_pages_shared;
	atomic64_t memattr_zapped_pages;	/* in ranges that were zapped for it */
	atomic64_t memattr_widened_pages;	/* those of them that a policy added */
	atomic64_t memattr_policy_calls;	/* of convert and zap */
	atomic64_t memattr_policy_ns;
	atomic64_t memattr_ejections;
};

struct kvm_vm_stat {
	struct kvm_vm_stat_generic generic;
	atomic64_t prefaulted_pages;		/* mapped ahead of the guest */
	atomic64_t prefaulted_unused;		/* those of them that were zapped untouched */
};

/* The VM. Its address is the VM's key in maps, from vm_attach to vm_detach. */
struct kvm {
	int userspace_pid;		/* the thread that created the VM */
	struct kvm_vm_stat stat;
};

enum kvm_memattr_reason {
	KVM_MEMATTR_REASON_IOCTL,	/* userspace: KVM_SET_MEMORY_ATTRIBUTES */
};

/* A requested conversion. Read-only. */
struct kvm_memattr_convert_ctx {
	u64 gfn_start;			/* first page */
	u64 gfn_end;			/* first page behind the range */
	u64 attributes;			/* requested: KVM_MEMORY_ATTRIBUTE_* */
	u32 reason;			/* enum kvm_memattr_reason */
};

/*
 * Huge pages at the edges of a zap that have equal attributes throughout once the conversion is
 * done, and lie inside of the memslot. Those in between always have.
 */
enum kvm_memattr_uniform {
	KVM_MEMATTR_UNIFORM_HEAD_2M = 1 << 0,	/* the one around gfn_start */
	KVM_MEMATTR_UNIFORM_HEAD_1G = 1 << 1,
	KVM_MEMATTR_UNIFORM_TAIL_2M = 1 << 2,	/* the one around gfn_end - 1 */
	KVM_MEMATTR_UNIFORM_TAIL_1G = 1 << 3,
};

/* A zap that a conversion needs, once per run of pages that change, and memslot it is in. */
struct kvm_memattr_zap_ctx {
	/* What to zap, the only writable members. They start as gfn_start and gfn_end. */
	u64 zap_start, zap_end;
	u64 gfn_start, gfn_end;		/* a run that changes; a zap must cover it */
	u64 slot_start, slot_end;	/* the memslot; a zap must stay inside */
	u64 attributes;			/* requested */
	u32 slot_id;			/* address space << 16 | id */
	u32 uniform;			/* enum kvm_memattr_uniform */
};

/* KVM maps no more than this for one proposal. */
#define KVM_MEMATTR_PREFAULT_MAX_PAGES 512

enum kvm_memattr_prefault_reason {
	KVM_MEMATTR_PREFAULT_FAULT,	/* KVM resolved a fault of the guest */
	KVM_MEMATTR_PREFAULT_CONVERT,	/* pages became private */
	KVM_MEMATTR_PREFAULT_IOCTL,	/* userspace: KVM_PRE_FAULT_MEMORY has mapped something */
};

enum kvm_memattr_prefault_flags {
	KVM_MEMATTR_PREFAULT_ALLOC = 1 << 0,	/* allocate memory that is not there yet */
};

/* Private memory was mapped, or became private: a chance to have more mapped. */
struct kvm_memattr_prefault_ctx {
	/* What else to map, writable. They start as gfn_start: nothing. */
	u64 window_start, window_end;
	u64 gfn_start, gfn_end;		/* what was mapped or converted */
	u64 slot_start, slot_end;	/* the memslot; nothing outside is mapped */
	u32 flags;			/* enum kvm_memattr_prefault_flags, writable, 0 at first */
	u32 reason;			/* enum kvm_memattr_prefault_reason */
	s32 vcpu_id;			/* -1 for a conversion */
};

enum kvm_memattr_exit_kind {
	KVM_MEMATTR_EXIT_NONE,
	KVM_MEMATTR_EXIT_UNREG,		/* its link was closed, e.g. its loader died */
	KVM_MEMATTR_EXIT_DETACH,	/* somebody detached it */
	KVM_MEMATTR_EXIT_VM_DEATH,	/* the VM ended */
	KVM_MEMATTR_EXIT_REPLACED,	/* by an update, or by the VM's own policy */
	KVM_MEMATTR_EXIT_REFUSED,	/* vm_attach refused the VM; or another, in an update */
	KVM_MEMATTR_EXIT_BAD_RETURN,	/* a callback returned what it must not */
	KVM_MEMATTR_EXIT_BAD_FIELD,	/* zap or prefault set what it must not */
	KVM_MEMATTR_EXIT_BUDGET,	/* a callback took longer than budget_us */
	KVM_MEMATTR_EXIT_REQUEST,	/* the policy asked for it: kvm_bpf_eject() */
};

/* Why a policy left a VM. */
struct kvm_memattr_exit {
	u32 kind;			/* enum kvm_memattr_exit_kind */
	s64 code;			/* what the kind is about, such as the return value */
	char text[128];
};

/*
 * The policy. A callback that is left out allows everything. Callbacks run at the same time on
 * several CPUs, for one VM too: what they share needs a bpf_spin_lock or atomics.
 */
struct kvm_memattr_ops {
	/*
	 * A VM comes under the policy. Must not sleep.
	 * 0, or -errno to refuse the VM; -ERANGE: a parameter is out of its range.
	 */
	int (*vm_attach)(struct kvm *kvm);

	/* A VM left the policy, for the reason in @exit; what was kept for it goes. Must not sleep. */
	void (*vm_detach)(struct kvm *kvm, const struct kvm_memattr_exit *exit);

	/*
	 * Userspace asks for a conversion; nothing has happened yet. May sleep, if it is
	 * SEC("struct_ops.s/convert").
	 * 0 allows. -EPERM, -EACCES, -EAGAIN, -EBUSY or -ENOSPC refuses, and is what the ioctl
	 * returns. Anything else ejects the policy.
	 */
	int (*convert)(struct kvm *kvm, const struct kvm_memattr_convert_ctx *ctx);

	/*
	 * KVM is about to zap stage-2 mappings for a conversion that is under way. Must not sleep.
	 * May widen the zap inside the memslot. Must return 0.
	 */
	int (*zap)(struct kvm *kvm, struct kvm_memattr_zap_ctx *ctx);

	/*
	 * Private memory was mapped, or became private. Must not sleep.
	 * May propose a window. KVM maps the private pages of it that are backed by guest_memfd, in
	 * order, until one cannot be had or a signal is pending: for a fault before the vCPU goes
	 * on, else before a vCPU enters the guest next time. Must return 0.
	 */
	int (*prefault)(struct kvm *kvm, struct kvm_memattr_prefault_ctx *ctx);

	s32 vm_fd;			/* the VM; -1: all VMs without one of their own */
	u32 budget_us;			/* a call that takes longer ejects the policy; 0: none */
	u64 flags;			/* none yet: 0 */
	char name[KVM_MEMATTR_NAME_LEN];
};

/* Pages with equal attributes. What an iterator returns is read-only, and gone with the next. */
union kvm_bpf_run {
	struct {
		u64 start;		/* first gfn */
		u64 end;		/* first gfn behind the run */
		u64 attributes;		/* KVM_MEMORY_ATTRIBUTE_* */
	};
};

#pragma clang attribute pop

/*
 * What a policy can ask, of the VM that its callback is for. In any callback; none of them sleeps.
 * Attributes are those from before the conversion that the callback is about, and can change while
 * they are read, but in zap.
 */

/* The attributes of a page, 0 also for a gfn that no address has. */
extern u64 kvm_bpf_gfn_attributes(struct kvm *kvm, u64 gfn) __ksym __weak;

/*
 * The run of pages with equal attributes around a page. May be too short where attributes changed
 * often. 0, or -EINVAL: there is no such gfn. @run has to be initialised.
 */
extern int kvm_bpf_gfn_run(struct kvm *kvm, u64 gfn, union kvm_bpf_run *run) __ksym __weak;

/* A block can be mapped by a huge page only if it is all of these. */
enum kvm_bpf_hugepage {
	KVM_BPF_HUGEPAGE_IN_SLOT = 1 << 0,	/* the whole block is in one memslot */
	KVM_BPF_HUGEPAGE_UNIFORM = 1 << 1,	/* all its pages have equal attributes */
};

/* enum kvm_bpf_hugepage of the block around a page: @order 9 for 2 MiB, 18 for 1 GiB. Or -EINVAL. */
extern int kvm_bpf_hugepage_state(struct kvm *kvm, u64 gfn, u32 order) __ksym __weak;

/*
 * Has this policy ejected from the VM; @code and @text__str, a string constant, end up in the record
 * that "memattr-policy show" shows. What the callback returns still counts. Without effect in
 * vm_attach and vm_detach.
 */
extern void kvm_bpf_eject(struct kvm *kvm, s64 code, const char *text__str) __ksym __weak;

/*
 * Runs of pages with equal attributes in a range, in order and without gaps. It ends after 4096:
 * see where the last one ends. Two neighbours may have equal attributes.
 *
 *	union kvm_bpf_run *run;
 *
 *	bpf_for_each(kvm_run, run, kvm, zap->slot_start, zap->slot_end)
 *		if (run->attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE)
 *			pages += run->end - run->start;
 */
struct bpf_iter_kvm_run {
	u64 __opaque[8];
} __attribute__((aligned(8)));

extern int bpf_iter_kvm_run_new(struct bpf_iter_kvm_run *it, struct kvm *kvm, u64 start,
				u64 end) __ksym __weak;
extern union kvm_bpf_run *bpf_iter_kvm_run_next(struct bpf_iter_kvm_run *it) __ksym __weak;
extern void bpf_iter_kvm_run_destroy(struct bpf_iter_kvm_run *it) __ksym __weak;

/*
 * Defines the policy @_name with the callbacks that follow, for all VMs; memattr-policy puts in the
 * VM it is to govern instead. To be used once per file:
 *
 *	MEMATTR_OPS(example,
 *		.convert = (void *)example_convert,
 *	);
 */
#define MEMATTR_OPS(_name, ...)								\
	_Static_assert(sizeof(#_name) <= KVM_MEMATTR_NAME_LEN, "name is too long");	\
	SEC(".struct_ops.link")								\
	struct kvm_memattr_ops _name = {						\
		__VA_ARGS__								\
		.vm_fd = -1,								\
		.name = #_name,								\
	};										\
	char LICENSE[] SEC("license") = "GPL"

/*
 * A parameter, which memattr-policy shows with @_help and sets before it loads the policy. @_type
 * is an integer type or bool. The help's end gives range and unit in brackets, and memattr-policy
 * holds the user to it; without brackets all values of the type will do:
 *
 *	MEMATTR_PARAM(u32, rate, 100, "conversions allowed per second [1..1000000 conversions/s]");
 *	MEMATTR_PARAM(u64, pause_ns, 0, "what to wait in between [0..1000000000 ns]");
 */
#define MEMATTR_PARAM(_type, _name, _default, _help)					\
	const volatile _type _name							\
		__attribute__((btf_decl_tag("memattr:param:" _help))) = _default

#endif
