// SPDX-License-Identifier: GPL-2.0
/*
 * Joins an exit to the conversion that it asked for, and to the first fault after it. It is loaded only while somebody
 * looks at chains. memattr-top.bpf.c has given each VM its slot.
 */
#include "vm_slots.bpf.h"

#include "chain_counts.h"
#include "pieces.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define PAGE_SHIFT 12

/* These are KVM's interface to userspace, and to guests. */
#define KVM_EXIT_HYPERCALL	3
#define KVM_EXIT_MEMORY_FAULT	39
#define KVM_HC_MAP_GPA_RANGE	12

/* Only the members that are read are declared; their offsets come from the running kernel's BTF. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct kvm_memattr_convert_event {
	__u64 gfn_start, gfn_end;
	__u64 take_ns;	/* comes with conversion in place */
	__u64 effective_pages;
	__u64 lock_ns, policy_ns, zap_ns, store_ns;
	__s32 ret;
};

struct kvm_memattr_zap_event {
	__u64 zap_start, zap_end;
};
#pragma clang attribute pop

/* The programs of memattr-top.bpf.c give slots to VMs and take them away. */
static inline void vm_begins(struct kvm *kvm, __u32 slot)
{
}

static inline void vm_ends(struct kvm *kvm, struct vm_slot *vm, __u32 slot)
{
}

/* KVM's results of faults that end with the page mapped. The collector fills them in. */
const volatile int ret_pf_fixed, ret_pf_spurious;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VM_SLOTS);
	__type(key, __u32);
	__type(value, struct chain_vm);
} chains SEC(".maps");

/* By number, modulo the number of entries. The collector sums up what each range has cost. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, CHAIN_RECENT);
	__type(key, __u32);
	__type(value, struct chain_recent);
} recents SEC(".maps");

struct piece_key {
	__u64 birth;
	struct piece piece;
};

/* The number of the last conversion of each piece. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CHAIN_PIECES);
	__type(key, struct piece_key);
	__type(value, __u64);
} pieces SEC(".maps");

/* What a thread did last. */
struct thread {
	__u64 exit_ns;		/* an exit that asked for a conversion; 0: none, or it has been used */
	__u64 exit_kvm;		/* 0: the hook does not tell, nor does it tell the range */
	__u64 exit_start, exit_end;	/* gfns */
	__u64 zap_start, zap_end;	/* what the conversion has zapped so far; both 0: nothing */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct thread);
} threads SEC(".maps");

__u64 lost_events;	/* of VMs without a slot, or for which there was no memory */
__u64 numbers;		/* of conversions, so far */

static struct thread *this_thread(__u64 flags)
{
	return bpf_task_storage_get(&threads, bpf_get_current_task_btf(), 0, flags);
}

static __always_inline void lose(void)
{
	__sync_fetch_and_add(&lost_events, 1);
}

/* Returns whether the exit asks for a conversion, and of what. */
static _Bool read_exit(struct kvm_vcpu *vcpu, struct thread *exit)
{
	struct kvm_run *run = vcpu->run;
	__u64 gpa;

	if (run->exit_reason == KVM_EXIT_MEMORY_FAULT) {
		gpa = run->memory_fault.gpa;
		exit->exit_end = (gpa + run->memory_fault.size) >> PAGE_SHIFT;
	} else if (run->exit_reason == KVM_EXIT_HYPERCALL && run->hypercall.nr == KVM_HC_MAP_GPA_RANGE) {
		gpa = run->hypercall.args[0];
		exit->exit_end = (gpa >> PAGE_SHIFT) + run->hypercall.args[1];
	} else {
		return 0;
	}
	exit->exit_start = gpa >> PAGE_SHIFT;
	exit->exit_kvm = (__u64)vcpu->kvm;
	return 1;
}

static int note_exit(_Bool asks, const struct thread *exit)
{
	struct thread *thread = this_thread(asks ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);

	if (asks && !thread)
		lose();
	if (!thread)
		return 0;
	/* An exit for another reason: what this thread converts from now on, nobody has asked for. */
	thread->exit_ns = asks ? bpf_ktime_get_ns() : 0;
	thread->exit_kvm = exit->exit_kvm;
	thread->exit_start = exit->exit_start;
	thread->exit_end = exit->exit_end;
	return 0;
}

SEC("fexit/kvm_arch_vcpu_ioctl_run")
int BPF_PROG(chain_exit, struct kvm_vcpu *vcpu)
{
	struct thread exit = {};
	_Bool asks = read_exit(vcpu, &exit);

	return note_exit(asks, &exit);
}

/* Where fexit does not work. A hypercall need not be one that converts, and it is not known of which VM. */
SEC("tp_btf/kvm_userspace_exit")
int BPF_PROG(chain_exit_of_thread, __u32 reason)
{
	struct thread exit = {};

	return note_exit(reason == KVM_EXIT_MEMORY_FAULT || reason == KVM_EXIT_HYPERCALL, &exit);
}

SEC("tp_btf/kvm_memattr_zap")
int BPF_PROG(chain_zap, struct kvm *kvm, const struct kvm_memattr_zap_event *ev)
{
	struct thread *thread;

	if (!ev)
		return 0;
	thread = this_thread(BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!thread) {
		lose();
		return 0;
	}
	if (!thread->zap_end || ev->zap_start < thread->zap_start)
		thread->zap_start = ev->zap_start;
	if (ev->zap_end > thread->zap_end)
		thread->zap_end = ev->zap_end;
	return 0;
}

/* The slot of the last event on this CPU: usually the next event is of the same VM. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} last_slot SEC(".maps");

/* An address may belong to another VM by now, and a slot, too. */
static __always_inline _Bool is_of(const struct vm_slot *vm, struct kvm *kvm)
{
	return vm && vm->kvm == (__u64)kvm && !vm->ended;
}

static struct chain_vm *chain_of(struct kvm *kvm, __u32 *slot, __u64 *birth)
{
	__u32 zero = 0, *last = bpf_map_lookup_elem(&last_slot, &zero);
	struct vm_slot *vm;

	if (!last)
		return NULL;
	vm = bpf_map_lookup_elem(&vms, last);
	if (!is_of(vm, kvm)) {
		*last = find_slot((__u64)kvm);
		vm = bpf_map_lookup_elem(&vms, last);
	}
	if (!is_of(vm, kvm))
		return NULL;
	*slot = *last;
	*birth = vm->birth;
	return bpf_map_lookup_elem(&chains, slot);
}

static __u64 spent_ns(const struct kvm_memattr_convert_event *ev)
{
	__u64 ns = ev->lock_ns + ev->policy_ns + ev->zap_ns + ev->store_ns;

	return bpf_core_field_exists(ev->take_ns) ? ns + ev->take_ns : ns;
}

/* Returns the time from the exit to @begin_ns, or 0 if no exit asked for the conversion. */
static __u64 since_exit(struct thread *thread, struct kvm *kvm, const struct kvm_memattr_convert_event *ev,
			__u64 begin_ns)
{
	__u64 exit_ns;

	if (!thread || !thread->exit_ns || begin_ns <= thread->exit_ns)
		return 0;
	if (thread->exit_kvm && (thread->exit_kvm != (__u64)kvm || ev->gfn_end <= thread->exit_start ||
				 ev->gfn_start >= thread->exit_end))
		return 0;
	exit_ns = thread->exit_ns;
	thread->exit_ns = 0;
	return begin_ns - exit_ns;
}

static __always_inline void add_conversion(struct chain_links *links, const struct chain_recent *conversion)
{
	__sync_fetch_and_add(&links->conversions, 1);
	__sync_fetch_and_add(&links->convert_ns, conversion->convert_ns);
	if (conversion->exit_ns) {
		__sync_fetch_and_add(&links->exits, 1);
		__sync_fetch_and_add(&links->exit_ns, conversion->exit_ns);
	}
	if (conversion->zap_ns) {
		__sync_fetch_and_add(&links->zaps, 1);
		__sync_fetch_and_add(&links->zap_ns, conversion->zap_ns);
	}
}

static __always_inline void forget_piece(const struct piece_key *key, __u64 of_number)
{
	__u64 *number = bpf_map_lookup_elem(&pieces, key);

	if (number && *number == of_number)
		bpf_map_delete_elem(&pieces, key);
}

static __always_inline void remember_piece(const struct piece_key *key, const __u64 *number)
{
	__u64 *found = bpf_map_lookup_elem(&pieces, key);

	/* Guests convert the same pages again and again. */
	if (found)
		*found = *number;
	else if (bpf_map_update_elem(&pieces, key, number, BPF_ANY))
		lose();
}

struct cut {
	struct piece_key key;
	__u64 start, end;
	__u64 number;
	__u64 sizes;
};

static long forget_next(__u32 i, struct cut *cut)
{
	if (!take_piece(&cut->start, cut->end, &cut->key.piece))
		return 1;
	forget_piece(&cut->key, cut->number);
	return 0;
}

static long remember_next(__u32 i, struct cut *cut)
{
	if (!take_piece(&cut->start, cut->end, &cut->key.piece))
		return 1;
	cut->sizes |= cut->key.piece.pages;
	remember_piece(&cut->key, &cut->number);
	return 0;
}

/* Makes room for a new conversion. */
static void forget(struct chain_recent *old)
{
	struct cut cut = {
		.key.birth = old->birth, .start = old->area_start, .end = old->area_end, .number = old->number,
	};
	struct chain_vm *chain = bpf_map_lookup_elem(&chains, &old->slot);
	struct vm_slot *vm = bpf_map_lookup_elem(&vms, &old->slot);

	if (!old->followed && chain && vm && vm->birth == old->birth)
		__sync_fetch_and_add(&chain->forgotten, 1);
	old->number = 0;
	bpf_loop(PIECES_MAX, forget_next, &cut, 0);
}

/* Faults look for the sizes in the VM's set only. */
static void remember_area(struct chain_vm *chain, const struct chain_recent *conversion)
{
	struct cut cut = {
		.key.birth = conversion->birth, .start = conversion->area_start, .end = conversion->area_end,
		.number = conversion->number,
	};

	if (is_piece(cut.start, cut.end)) {
		cut.key.piece = (struct piece){ cut.start, cut.end - cut.start };
		cut.sizes = cut.end - cut.start;
		remember_piece(&cut.key, &cut.number);
	} else {
		bpf_loop(PIECES_MAX, remember_next, &cut, 0);
	}
	if (cut.sizes & ~chain->sizes)
		__sync_fetch_and_or(&chain->sizes, cut.sizes);
}

/* Faults belong to what was converted, and to what a policy wanted zapped besides. */
static void set_area(struct chain_recent *conversion, struct thread *thread)
{
	conversion->area_start = conversion->gfn_start;
	conversion->area_end = conversion->gfn_end;
	if (!thread || !thread->zap_end)
		return;
	if (thread->zap_start < conversion->area_start)
		conversion->area_start = thread->zap_start;
	if (thread->zap_end > conversion->area_end)
		conversion->area_end = thread->zap_end;
	thread->zap_start = thread->zap_end = 0;
}

static void add(struct chain_vm *chain, const struct chain_recent *conversion)
{
	__u32 at = conversion->number % CHAIN_RECENT;
	struct chain_recent *to = bpf_map_lookup_elem(&recents, &at);

	add_conversion(&chain->links, conversion);
	if (!to)
		return;
	if (to->number)
		forget(to);
	*to = *conversion;
	remember_area(chain, conversion);
}

SEC("tp_btf/kvm_memattr_convert")
int BPF_PROG(chain_convert, struct kvm *kvm, const struct kvm_memattr_convert_event *ev)
{
	struct thread *thread = this_thread(0);
	struct chain_recent conversion = {};
	struct chain_vm *chain;
	__u64 spent;

	if (!kvm || !ev || ev->ret || !ev->effective_pages)
		return 0;
	conversion.gfn_start = ev->gfn_start;
	conversion.gfn_end = ev->gfn_end;
	set_area(&conversion, thread);
	chain = chain_of(kvm, &conversion.slot, &conversion.birth);
	if (!chain) {
		lose();
		return 0;
	}
	conversion.end_ns = bpf_ktime_get_ns();
	spent = spent_ns(ev);
	conversion.zap_ns = ev->zap_ns;
	conversion.convert_ns = spent - ev->zap_ns;
	conversion.exit_ns = since_exit(thread, kvm, ev, conversion.end_ns - spent);
	conversion.number = __sync_fetch_and_add(&numbers, 1) + 1;
	add(chain, &conversion);
	return 0;
}

struct search {
	struct piece_key key;
	__u64 gfn;
	__u64 sizes;		/* still to be looked for */
	__u64 number;		/* the last conversion found; 0: none */
};

static long look_up_size(__u32 i, struct search *search)
{
	__u64 pages = search->sizes & -search->sizes, *number;

	if (!pages)
		return 1;
	search->sizes -= pages;
	search->key.piece = (struct piece){ search->gfn & -pages, pages };
	number = bpf_map_lookup_elem(&pieces, &search->key);
	if (number && *number > search->number)
		search->number = *number;
	return 0;
}

/* A fault can begin while the conversion lasts, and wait for it. */
static void follow(struct chain_vm *chain, struct chain_recent *conversion, __u64 ns)
{
	struct chain_links *links = &chain->links;
	__u64 begin_ns;

	if (conversion->followed ||
	    __sync_val_compare_and_swap(&conversion->followed, CHAIN_NOT_FOLLOWED, CHAIN_FAULTING))
		return;
	begin_ns = bpf_ktime_get_ns() - ns;
	if (begin_ns > conversion->end_ns)
		__sync_fetch_and_add(&links->wait_ns, begin_ns - conversion->end_ns);
	__sync_fetch_and_add(&links->refaults, 1);
	__sync_fetch_and_add(&links->refault_ns, ns);
	conversion->fault_ns = ns;
	conversion->followed = CHAIN_FOLLOWED;
}

SEC("tp_btf/kvm_stage2_fault")
int BPF_PROG(chain_fault, struct kvm_vcpu *vcpu, __u64 gpa, __u64 error_code, int level, _Bool prefaulted, int ret,
	     __u64 ns)
{
	struct search search = { .gfn = gpa >> PAGE_SHIFT };
	struct chain_recent *conversion;
	struct chain_vm *chain;
	__u32 slot, at;

	if (!vcpu || (ret != ret_pf_fixed && ret != ret_pf_spurious))
		return 0;
	chain = chain_of(vcpu->kvm, &slot, &search.key.birth);
	if (!chain)
		return 0;
	search.sizes = chain->sizes;
	look_up_size(0, &search);
	if (search.sizes)
		bpf_loop(PIECES_MAX, look_up_size, &search, 0);
	at = search.number % CHAIN_RECENT;
	conversion = search.number ? bpf_map_lookup_elem(&recents, &at) : NULL;
	if (conversion && conversion->number == search.number)
		follow(chain, conversion, ns);
	return 0;
}
