/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the author of a policy for KVM's memory attributes includes. docs/policies.md is the guide.
 *
 * The types are those of the patched kernel, whose include/linux/kvm_memattr.h says what each
 * member means, what each callback may return, and in which context it runs.
 * virt/kvm/memattr_kfunc.c says the same of the functions. selftests/13-contract.t compares this
 * file with the kernel.
 *
 * libbpf relocates all members when it loads a policy (preserve_access_index). So one object fits
 * KVM as a module and KVM built in, and nobody has to generate a vmlinux.h.
 */
#ifndef MEMATTR_BPF_H
#define MEMATTR_BPF_H

/*
 * gcc compiles a policy as well, but it knows neither of the attributes that make members
 * relocatable and parameters visible. The object would read memory at wrong offsets.
 */
#ifndef __clang__
#error "policies need clang, e.g. clang -target bpf: gcc ignores preserve_access_index and btf_decl_tag"
#endif

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

/* Private if set in a page's or a conversion's attributes, else shared. */
#ifndef KVM_MEMORY_ATTRIBUTE_PRIVATE
#define KVM_MEMORY_ATTRIBUTE_PRIVATE (1ULL << 3)
#endif

#define KVM_MEMATTR_NAME_LEN 16
#define KVM_MEMATTR_EXIT_TEXT_LEN 128
#define KVM_MEMATTR_PREFAULT_MAX_PAGES 512	/* KVM maps no more for one window */
#define KVM_GMEM_MAX_MAPPERS 4			/* processes that kvm_gmem_held names */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	s64 counter;
} atomic64_t;

/* What KVM counts for each VM, with and without a policy. Read kvm->memattr_stat.NAME.counter. */
struct kvm_vm_memattr_stat {
	atomic64_t memattr_requests_private;	/* valid requests to make memory private */
	atomic64_t memattr_requests_shared;	/* valid requests to make memory shared */
	atomic64_t memattr_refused;		/* requests that a policy refused */
	atomic64_t memattr_noops;		/* requests that had nothing to change */
	atomic64_t memattr_held;		/* requests that failed because a page was in use */
	atomic64_t memattr_host_faults;		/* accesses of the host to pages it has not mapped */
	atomic64_t memattr_host_refused;	/* those that a policy refused */
	atomic64_t memattr_pages_private;	/* pages that became private */
	atomic64_t memattr_pages_shared;	/* pages that became shared */
	atomic64_t memattr_zapped_pages;	/* pages in zapped ranges, mapped or not */
	atomic64_t memattr_widened_pages;	/* zapped pages that a policy added */
	atomic64_t memattr_policy_calls;	/* calls of a policy's callbacks */
	atomic64_t memattr_policy_ns;		/* time spent in them */
	atomic64_t memattr_ejections;		/* policies that KVM ejected */
	atomic64_t prefaulted_pages;		/* pages mapped ahead of the guest */
	atomic64_t prefaulted_unused;		/* pages mapped ahead and zapped untouched */
	atomic64_t gmem_huge_allocated;		/* 2 MiB blocks that guest_memfds allocated as a whole */
	atomic64_t gmem_huge_refused;		/* blocks for which they had to do with small pages */
	atomic64_t gmem_huge_declined;		/* blocks that a policy did not want */
	atomic64_t gmem_huge_splits;		/* hugepages of a guest_memfd that were zapped in part */
};

/* The VM. memattr_vm_key() below is its key in maps. */
struct kvm {
	u64 id;				/* KVM gives it to no other VM, ever */
	int userspace_pid;		/* the thread that created the VM */
	struct mm_struct *mm;		/* the memory map of the process that created the VM */
	struct kvm_vm_memattr_stat memattr_stat;
};

/* Who asks for a conversion. */
enum kvm_memattr_reason {
	KVM_MEMATTR_REASON_IOCTL,	/* userspace, by KVM_SET_MEMORY_ATTRIBUTES */
	KVM_MEMATTR_REASON_GMEM,	/* userspace, by KVM_SET_MEMORY_ATTRIBUTES2: in place */
};

/* Instead of a gfn: no memslot maps this part of a guest_memfd. */
#define KVM_MEMATTR_NO_GFN (~0ULL)

/* A requested conversion, read-only. */
struct kvm_memattr_convert_ctx {
	u64 gfn_start, gfn_end;		/* the range, end exclusive; or both KVM_MEMATTR_NO_GFN */
	u64 ino;			/* in place: the guest_memfd's inode number, else 0 */
	u64 pgoff_start, pgoff_end;	/* its pages, end exclusive */
	u64 attributes;			/* requested, KVM_MEMORY_ATTRIBUTE_* */
	u32 reason;			/* enum kvm_memattr_reason */
};

/* Huge pages inside the memslot that a conversion makes uniform, at the edges of its zap. */
enum kvm_memattr_uniform {
	KVM_MEMATTR_UNIFORM_HEAD_2M = 1 << 0,	/* the one around gfn_start */
	KVM_MEMATTR_UNIFORM_TAIL_2M = 1 << 1,	/* the one around gfn_end - 1 */
};

/* A zap that a conversion is about to cause. */
struct kvm_memattr_zap_ctx {
	u64 zap_start, zap_end;		/* what to zap, writable, initially gfn_start and gfn_end */
	u64 gfn_start, gfn_end;		/* gfns that change, which the zap has to cover */
	u64 slot_start, slot_end;	/* the memslot, which the zap must not leave */
	u64 attributes;			/* new, KVM_MEMORY_ATTRIBUTE_* */
	u32 slot_id;			/* address space << 16 | id */
	u32 uniform;			/* enum kvm_memattr_uniform */
};

/* Why KVM asks what to map ahead. */
enum kvm_memattr_prefault_reason {
	KVM_MEMATTR_PREFAULT_FAULT,	/* KVM resolved a fault of the guest */
	KVM_MEMATTR_PREFAULT_CONVERT,	/* pages became private */
	KVM_MEMATTR_PREFAULT_IOCTL,	/* KVM_PRE_FAULT_MEMORY mapped something */
};

enum kvm_memattr_prefault_flags {
	KVM_MEMATTR_PREFAULT_ALLOC = 1 << 0,	/* allocate memory that is not there yet */
};

/* A chance to map private memory ahead of the guest. */
struct kvm_memattr_prefault_ctx {
	u64 window_start, window_end;	/* what to map, writable, initially empty at gfn_start */
	u64 gfn_start, gfn_end;		/* what was mapped or converted */
	u64 slot_start, slot_end;	/* the memslot; KVM maps nothing outside it */
	u32 flags;			/* enum kvm_memattr_prefault_flags, writable, initially 0 */
	u32 reason;			/* enum kvm_memattr_prefault_reason */
	s32 vcpu_id;			/* -1 for a conversion */
};

/* How host userspace accesses a guest_memfd. */
enum kvm_gmem_fault_flags {
	KVM_GMEM_FAULT_WRITE = 1 << 0,	/* it writes */
	KVM_GMEM_FAULT_REMOTE = 1 << 1,	/* the current task uses another process's mapping */
};

/* An access of host userspace to a guest_memfd's page that is not in its page tables, read-only. */
struct kvm_memattr_gmem_fault_ctx {
	u64 ino;			/* the file's inode number */
	u64 pgoff;			/* the page of the file */
	u64 address;			/* where it is mapped */
	u32 flags;			/* enum kvm_gmem_fault_flags */
};

/* What is about to use memory of a guest_memfd that is not there yet. */
enum kvm_gmem_use_reason {
	KVM_GMEM_USE_FAULT,		/* a vCPU, or KVM on behalf of the guest */
	KVM_GMEM_USE_PREFAULT,		/* KVM maps memory ahead of the guest */
	KVM_GMEM_USE_HOST,		/* host userspace accesses the file */
	KVM_GMEM_USE_FALLOCATE,		/* userspace allocates it by fallocate() */
};

/* An aligned 2 MiB of a guest_memfd of which no page is there yet, read-only. */
struct kvm_memattr_gmem_block_ctx {
	u64 ino;			/* the file's inode number */
	u64 block_pgoff;		/* the first of the block's 512 pages */
	u64 block_gfn;			/* its gfn, or KVM_MEMATTR_NO_GFN */
	u64 pgoff_start, pgoff_end;	/* pages of the block about to be used, end exclusive */
	u64 spare_pages;		/* room in the memory cgroups, but for an eighth of each limit */
	u32 before_pages, after_pages;	/* pages that are there of the 512 before, and after */
	u32 reason;			/* enum kvm_gmem_use_reason */
};

/* What the tracepoint kvm_gmem_held tells about the page that a conversion failed for. */
enum kvm_gmem_held_flags {
	KVM_GMEM_HELD_LOCKED = 1 << 0,	/* the page is locked: a fault is in flight */
	KVM_GMEM_HELD_NO_LRU = 1 << 1,	/* a CPU has it in its cache of new pages */
	KVM_GMEM_HELD_MORE = 1 << 2,	/* there are more mappers than it names */
};

/* A process that has mapped the page, whether or not it has touched it. */
struct kvm_gmem_mapper {
	u64 address;
	s32 pid;
	char comm[16];
};

/* Why pages could not become private, for programs on kvm_gmem_held. */
struct kvm_gmem_held_event {
	u64 ino;			/* the file's inode number */
	u64 pgoff;			/* the first page in use */
	u64 gfn;			/* its gfn; ~0: no memslot maps it */
	u32 refs;			/* references of others: the sum of the next three */
	u32 mapped;			/* those of page tables */
	u32 pins;			/* pins, for I/O or devices */
	u32 other;			/* all others, e.g. a pipe's */
	u32 flags;			/* enum kvm_gmem_held_flags */
	u32 nr_mappers;
	struct kvm_gmem_mapper mappers[KVM_GMEM_MAX_MAPPERS];
};

/* Why a policy left a VM. From KVM_MEMATTR_EXIT_EJECTED on, it is the policy's fault. */
enum kvm_memattr_exit_kind {
	KVM_MEMATTR_EXIT_NONE,
	KVM_MEMATTR_EXIT_UNREG,		/* the link was closed, e.g. its loader died */
	KVM_MEMATTR_EXIT_DETACH,	/* somebody detached the link */
	KVM_MEMATTR_EXIT_VM_DEATH,	/* the VM ended */
	KVM_MEMATTR_EXIT_REPLACED,	/* another policy took over */
	KVM_MEMATTR_EXIT_REFUSED,	/* vm_attach refused this VM, or another VM in an update */

	KVM_MEMATTR_EXIT_EJECTED = 64,
	KVM_MEMATTR_EXIT_BAD_RETURN = KVM_MEMATTR_EXIT_EJECTED, /* a callback's return value */
	KVM_MEMATTR_EXIT_BAD_FIELD,	/* a value that a callback wrote */
	KVM_MEMATTR_EXIT_BUDGET,	/* a callback took longer than budget_us */
	KVM_MEMATTR_EXIT_REQUEST,	/* a callback returned -ECANCELED */
};

struct kvm_memattr_exit {
	u32 kind;			/* enum kvm_memattr_exit_kind */
	s64 code;			/* the offending value, if the kind has one */
	char text[KVM_MEMATTR_EXIT_TEXT_LEN];
};

/* The policy. All callbacks are optional, and run concurrently with themselves and each other. */
struct kvm_memattr_ops {
	/* A VM comes under the policy, which can refuse it. */
	int (*vm_attach)(struct kvm *kvm);
	/* A VM has left the policy. */
	void (*vm_detach)(struct kvm *kvm, const struct kvm_memattr_exit *exit);
	/* Userspace asks for a conversion, which the policy can refuse. */
	int (*convert)(struct kvm *kvm, const struct kvm_memattr_convert_ctx *ctx);
	/* KVM is about to zap for a conversion. The policy can widen the zap. */
	int (*zap)(struct kvm *kvm, struct kvm_memattr_zap_ctx *ctx);
	/* KVM mapped private memory or made memory private. The policy can propose a window. */
	int (*prefault)(struct kvm *kvm, struct kvm_memattr_prefault_ctx *ctx);
	/* Host userspace accesses a guest_memfd. The policy can refuse it: -EPERM or -EACCES. */
	int (*gmem_fault)(struct kvm *kvm, const struct kvm_memattr_gmem_fault_ctx *ctx);
	/* The first page of 2 MiB of a guest_memfd is about to be used. 1: allocate all of it. */
	int (*gmem_block)(struct kvm *kvm, const struct kvm_memattr_gmem_block_ctx *ctx);

	s32 vm_fd;			/* the VM; -1: all VMs without a policy of their own */
	u32 budget_us;			/* a longer call ejects the policy; 0: no limit */
	u64 flags;			/* must be 0 */
	char name[KVM_MEMATTR_NAME_LEN];
};

/* Pages with equal attributes, end exclusive. */
union kvm_bpf_attr_range {
	struct {
		u64 start, end;
		u64 attributes;
	};
};

#pragma clang attribute pop

/* The state of bpf_for_each(kvm_attr_range, range, kvm, gfn_start, gfn_end). */
struct bpf_iter_kvm_attr_range {
	u64 __opaque[8];
} __attribute__((aligned(8)));

extern int bpf_iter_kvm_attr_range_new(struct bpf_iter_kvm_attr_range *it, struct kvm *kvm,
				       u64 start, u64 end) __ksym __weak;
extern union kvm_bpf_attr_range *bpf_iter_kvm_attr_range_next(
	struct bpf_iter_kvm_attr_range *it) __ksym __weak;
extern void bpf_iter_kvm_attr_range_destroy(struct bpf_iter_kvm_attr_range *it) __ksym __weak;

/*
 * Begins a callback, which is called POLICY_MEMBER:
 *
 *	int MEMATTR_CALLBACK(example_convert, struct kvm *kvm,
 *			     const struct kvm_memattr_convert_ctx *request)
 *
 * No argument can be called ctx: BPF_PROG uses the name. Only convert may be sleepable.
 */
#define MEMATTR_CALLBACK(_name, _args...) SEC("struct_ops/" #_name) BPF_PROG(_name, _args)
#define MEMATTR_CALLBACK_SLEEPABLE(_name, _args...)					\
	SEC("struct_ops.s/" #_name) BPF_PROG(_name, _args)

#define __memattr_ops_1(_name, _callback) ._callback = (void *)_name##_##_callback,
#define __memattr_ops_2(_name, _callback, _more...) \
	__memattr_ops_1(_name, _callback) __memattr_ops_1(_name, _more)
#define __memattr_ops_3(_name, _callback, _more...) \
	__memattr_ops_1(_name, _callback) __memattr_ops_2(_name, _more)
#define __memattr_ops_4(_name, _callback, _more...) \
	__memattr_ops_1(_name, _callback) __memattr_ops_3(_name, _more)
#define __memattr_ops_5(_name, _callback, _more...) \
	__memattr_ops_1(_name, _callback) __memattr_ops_4(_name, _more)
#define __memattr_ops_6(_name, _callback, _more...) \
	__memattr_ops_1(_name, _callback) __memattr_ops_5(_name, _more)
#define __memattr_ops_7(_name, _callback, _more...) \
	__memattr_ops_1(_name, _callback) __memattr_ops_6(_name, _more)
#define __memattr_ops_n(_1, _2, _3, _4, _5, _6, _7, _ops, ...) _ops
#define __memattr_ops(_callbacks...)						\
	__memattr_ops_n(_callbacks, __memattr_ops_7, __memattr_ops_6,		\
			__memattr_ops_5, __memattr_ops_4, __memattr_ops_3,	\
			__memattr_ops_2, __memattr_ops_1)

/*
 * Defines the policy @_name with its callbacks, for all VMs; memattr-policy sets the VM. Once per
 * file:
 *
 *	MEMATTR_OPS(example, convert, zap);
 */
#define MEMATTR_OPS(_name, _callbacks...)						\
	_Static_assert(sizeof(#_name) <= KVM_MEMATTR_NAME_LEN, "name is too long");	\
	SEC(".struct_ops.link")								\
	struct kvm_memattr_ops _name = {						\
		__memattr_ops(_callbacks)(_name, _callbacks)				\
		.vm_fd = -1,								\
		.name = #_name,								\
	};										\
	char LICENSE[] SEC("license") = "GPL"

/*
 * A parameter of type @_type, an integer or bool, which memattr-policy shows and sets before it
 * loads the policy. @_help ends in the range and the unit, in brackets; without it all values are
 * allowed:
 *
 *	MEMATTR_PARAM(u32, rate, 100, "conversions allowed per second [1..1000000 conversions/s]");
 */
#define MEMATTR_PARAM(_type, _name, _default, _help)					\
	const volatile _type _name							\
		__attribute__((btf_decl_tag("memattr:param:" _help))) = _default

/* A VM's key in maps. No other VM ever has it. */
static inline u64 memattr_vm_key(const struct kvm *kvm)
{
	return kvm->id;
}

/* VMs that one load of a policy can keep state for. */
#define MEMATTR_MAX_VMS 4096

/*
 * State of type @_type for each VM, in the map @_name_vms. Defines
 *	int example_add_vm(kvm, &initial)	for vm_attach; fails if there is no room
 *	struct state *example_vm(kvm)		the VM's state, or NULL
 * and the callback vm_detach, which removes the state:
 *
 *	MEMATTR_VM_STATE(example, struct state);
 */
#define MEMATTR_VM_STATE(_name, _type)							\
	struct {									\
		__uint(type, BPF_MAP_TYPE_HASH);					\
		__uint(map_flags, BPF_F_NO_PREALLOC);					\
		__uint(max_entries, MEMATTR_MAX_VMS);					\
		__type(key, u64);							\
		__type(value, _type);							\
	} _name##_vms SEC(".maps");							\
											\
	static inline int _name##_add_vm(struct kvm *kvm, const _type *initial)	\
	{										\
		u64 key = memattr_vm_key(kvm);						\
											\
		return bpf_map_update_elem(&_name##_vms, &key, initial, BPF_NOEXIST);	\
	}										\
											\
	static inline _type *_name##_vm(struct kvm *kvm)				\
	{										\
		u64 key = memattr_vm_key(kvm);						\
											\
		return bpf_map_lookup_elem(&_name##_vms, &key);				\
	}										\
											\
	void MEMATTR_CALLBACK(_name##_vm_detach, struct kvm *kvm,			\
			      const struct kvm_memattr_exit *exit)			\
	{										\
		u64 key = memattr_vm_key(kvm);						\
											\
		bpf_map_delete_elem(&_name##_vms, &key);				\
	}

#endif
