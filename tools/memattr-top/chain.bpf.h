/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Joins an exit to the conversion that it asked for, and to the first fault after it, while somebody looks at chains.
 * The programs that count these events call what is here, so that an event takes one program and one lookup of its VM.
 */
#ifndef MEMATTR_TOP_CHAIN_BPF_H
#define MEMATTR_TOP_CHAIN_BPF_H

#include "slots.bpf.h"

#include "chain_counts.h"
#include "pieces.bpf.h"

#define PAGE_SHIFT 12

/* These are KVM's interface to userspace, and to guests. */
#define KVM_EXIT_HYPERCALL	3
#define KVM_EXIT_MEMORY_FAULT	39
#define KVM_HC_MAP_GPA_RANGE	12

/* The collector turns these on and off. */
_Bool join_chains;
_Bool join_zaps;	/* a policy may have widened them */
__u64 joined_ns;	/* CLOCK_MONOTONIC, when chains were turned on: what was noted before may be out of date */

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

/*
 * A piece of a VM in one number, because short keys take less time: its lowest bit is that of the size. It has
 * 22 bits of the VM's birth; the conversion that is found has the whole.
 */
static __always_inline __u64 key_of(__u64 birth, const struct piece *piece)
{
	return birth << 42 | piece->start << 1 | piece->pages;
}

/* The number of the last conversion of each piece. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CHAIN_PIECES);
	__type(key, __u64);
	__type(value, __u64);
} pieces SEC(".maps");

/* By a thread's number, modulo the number of entries. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CHAIN_ASKERS);
	__type(key, __u32);
	__type(value, struct chain_exit);
} askers SEC(".maps");

/* Threads that have not found their entry free. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct chain_exit);
} other_askers SEC(".maps");

/* What a thread's conversion has zapped so far. */
struct zapped {
	__u64 start, end;	/* both 0: nothing */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct zapped);
} zapped_by SEC(".maps");

_Bool has_other_askers;
__u64 numbers;		/* of conversions, so far */

static __always_inline void lose(void)
{
	__sync_fetch_and_add(&lost_events, 1);
}

/* A thread's number can be used again. */
static __always_inline __u64 number_of(const struct task_struct *task)
{
	return task->start_boottime << 22 ^ task->pid;
}

static __always_inline struct chain_exit *asker_at(const struct task_struct *task)
{
	__u32 at = (__u32)task->pid % CHAIN_ASKERS;

	return bpf_map_lookup_elem(&askers, &at);
}

/* Returns where this thread's exit is, or NULL. */
static __always_inline struct chain_exit *exit_of(struct task_struct *task)
{
	struct chain_exit *exit = asker_at(task);

	if (exit && exit->thread == number_of(task))
		return exit;
	return has_other_askers ? bpf_task_storage_get(&other_askers, task, 0, 0) : NULL;
}

/* An exit for another reason, or one that has been used: what this thread converts next, nobody has asked for. */
static __always_inline void forget_exit(struct chain_exit *exit)
{
	exit->exit_ns = 0;
	exit->thread = 0;
}

/* The thread has found its entry free this time. */
static __always_inline void forget_other_exit(struct task_struct *task)
{
	struct chain_exit *other = has_other_askers ? bpf_task_storage_get(&other_askers, task, 0, 0) : NULL;

	if (other)
		other->exit_ns = 0;
}

/* Returns where the exit is to be noted, or NULL if there is no memory. */
static __always_inline struct chain_exit *new_exit(struct task_struct *task)
{
	struct chain_exit *exit = asker_at(task);
	__u64 thread = number_of(task);

	if (exit && exit->thread == thread)
		return exit;
	if (exit && !__sync_val_compare_and_swap(&exit->thread, 0, thread)) {
		forget_other_exit(task);
		return exit;
	}
	has_other_askers = 1;
	return bpf_task_storage_get(&other_askers, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* A thread runs one vCPU at a time: nothing else writes to its exit. */
static __always_inline void note_exit(__u64 kvm, __u64 gfn_start, __u64 gfn_end)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct chain_exit *exit = new_exit(task);

	if (!exit) {
		lose();
		return;
	}
	exit->kvm = kvm;
	exit->gfn_start = gfn_start;
	exit->gfn_end = gfn_end;
	exit->exit_ns = bpf_ktime_get_ns();
}

static __always_inline void note_other_exit(void)
{
	struct chain_exit *exit = exit_of(bpf_get_current_task_btf());

	if (exit)
		forget_exit(exit);
}

/* At a return to userspace. */
static __always_inline void chain_exit(const struct kvm_vcpu *vcpu, const struct kvm_run *run, __u32 reason)
{
	__u64 gpa, gfn;

	if (reason == KVM_EXIT_MEMORY_FAULT) {
		gpa = run->memory_fault.gpa;
		note_exit((__u64)vcpu->kvm, gpa >> PAGE_SHIFT, (gpa + run->memory_fault.size) >> PAGE_SHIFT);
	} else if (reason == KVM_EXIT_HYPERCALL && run->hypercall.nr == KVM_HC_MAP_GPA_RANGE) {
		gfn = run->hypercall.args[0] >> PAGE_SHIFT;
		note_exit((__u64)vcpu->kvm, gfn, gfn + run->hypercall.args[1]);
	} else {
		note_other_exit();
	}
}

/* Where fexit does not work. A hypercall need not be one that converts, and it is not known of which VM. */
SEC("tp_btf/kvm_userspace_exit")
int BPF_PROG(chain_exit_of_thread, __u32 reason)
{
	if (reason == KVM_EXIT_MEMORY_FAULT || reason == KVM_EXIT_HYPERCALL)
		note_exit(0, 0, 0);
	else
		note_other_exit();
	return 0;
}

static __always_inline void chain_zap(__u64 zap_start, __u64 zap_end)
{
	struct zapped *zapped = bpf_task_storage_get(&zapped_by, bpf_get_current_task_btf(), 0,
						     BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!zapped) {
		lose();
		return;
	}
	if (!zapped->end || zap_start < zapped->start)
		zapped->start = zap_start;
	if (zap_end > zapped->end)
		zapped->end = zap_end;
}

/* Returns the time from the exit to @begin_ns, or 0 if no exit asked for the conversion. */
static __always_inline __u64 since_exit(__u64 kvm, const struct chain_recent *conversion, __u64 begin_ns)
{
	struct chain_exit *exit = exit_of(bpf_get_current_task_btf());
	__u64 exit_ns;

	if (!exit || exit->exit_ns < joined_ns || begin_ns <= exit->exit_ns)
		return 0;
	if (exit->kvm && (exit->kvm != kvm || conversion->gfn_end <= exit->gfn_start ||
			  conversion->gfn_start >= exit->gfn_end))
		return 0;
	exit_ns = exit->exit_ns;
	forget_exit(exit);
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

struct cut {
	__u64 birth;
	__u64 start, end;
	__u64 number;
	__u64 sizes;
};

static __always_inline void remember_piece(struct cut *cut, const struct piece *piece)
{
	__u64 key = key_of(cut->birth, piece);
	__u64 *found = bpf_map_lookup_elem(&pieces, &key);

	cut->sizes |= piece->pages;
	/* Guests convert the same pages again and again. */
	if (found)
		*found = cut->number;
	else if (bpf_map_update_elem(&pieces, &key, &cut->number, BPF_ANY))
		lose();
}

static long remember_next(__u32 i, struct cut *cut)
{
	struct piece piece;

	if (!take_piece(&cut->start, cut->end, &piece))
		return 1;
	remember_piece(cut, &piece);
	return 0;
}

static __always_inline void forget_piece(const struct cut *cut, const struct piece *piece)
{
	__u64 key = key_of(cut->birth, piece);
	__u64 *number = bpf_map_lookup_elem(&pieces, &key);

	if (number && *number == cut->number)
		bpf_map_delete_elem(&pieces, &key);
}

static long forget_next(__u32 i, struct cut *cut)
{
	struct piece piece;

	if (!take_piece(&cut->start, cut->end, &piece))
		return 1;
	forget_piece(cut, &piece);
	return 0;
}

/* Makes room for a new conversion. */
static __noinline int forget(struct chain_recent *old)
{
	struct cut cut = {
		.birth = old->birth, .start = old->area_start, .end = old->area_end, .number = old->number,
	};
	struct piece whole = { cut.start, cut.end - cut.start };
	struct chain_vm *chain = bpf_map_lookup_elem(&chains, &old->slot);
	struct vm_slot *vm = bpf_map_lookup_elem(&vms, &old->slot);

	if (!old->followed && chain && vm && vm->birth == old->birth)
		__sync_fetch_and_add(&chain->forgotten, 1);
	old->number = 0;
	if (is_piece(cut.start, cut.end))
		forget_piece(&cut, &whole);
	else
		bpf_loop(PIECES_MAX, forget_next, &cut, 0);
	return 0;
}

/* Faults look for the sizes in the VM's set only. */
static __always_inline void remember_area(struct chain_vm *chain, const struct chain_recent *conversion)
{
	struct cut cut = {
		.birth = conversion->birth, .start = conversion->area_start, .end = conversion->area_end,
		.number = conversion->number,
	};
	struct piece whole = { cut.start, cut.end - cut.start };

	if (is_piece(cut.start, cut.end))
		remember_piece(&cut, &whole);
	else
		bpf_loop(PIECES_MAX, remember_next, &cut, 0);
	if (cut.sizes & ~chain->sizes)
		__sync_fetch_and_or(&chain->sizes, cut.sizes);
	chain->last_number = conversion->number;
}

/* Faults belong to what was converted, and to what a policy wanted zapped besides. */
static __always_inline void set_area(struct chain_recent *conversion)
{
	struct zapped *zapped = join_zaps ? bpf_task_storage_get(&zapped_by, bpf_get_current_task_btf(), 0, 0) : NULL;

	conversion->area_start = conversion->gfn_start;
	conversion->area_end = conversion->gfn_end;
	if (!zapped || !zapped->end)
		return;
	if (zapped->start < conversion->area_start)
		conversion->area_start = zapped->start;
	if (zapped->end > conversion->area_end)
		conversion->area_end = zapped->end;
	zapped->start = zapped->end = 0;
}

struct chain_times {
	__u64 spent_ns, zap_ns;	/* @spent_ns includes @zap_ns */
	__u64 end_ns;		/* CLOCK_MONOTONIC */
};

/* Returns where a new conversion is to be filled in, or NULL. */
static __always_inline struct chain_recent *new_recent(__u64 number)
{
	__u32 at = number % CHAIN_RECENT;
	struct chain_recent *recent = bpf_map_lookup_elem(&recents, &at);

	if (recent && recent->number)
		forget(recent);
	return recent;
}

/* After a conversion that has changed something. */
static __always_inline void chain_convert(struct kvm *kvm, __u32 slot, __u64 gfn_start, __u64 gfn_end,
					  const struct chain_times *times)
{
	__u64 number = __sync_fetch_and_add(&numbers, 1) + 1;
	struct chain_recent *conversion = new_recent(number);
	struct chain_vm *chain = bpf_map_lookup_elem(&chains, &slot);
	struct vm_slot *vm = bpf_map_lookup_elem(&vms, &slot);

	if (!conversion || !chain || !vm)
		return;
	conversion->slot = slot;
	conversion->birth = vm->birth;
	conversion->gfn_start = gfn_start;
	conversion->gfn_end = gfn_end;
	set_area(conversion);
	conversion->end_ns = times->end_ns;
	conversion->zap_ns = times->zap_ns;
	conversion->convert_ns = times->spent_ns - times->zap_ns;
	conversion->exit_ns = since_exit((__u64)kvm, conversion, conversion->end_ns - times->spent_ns);
	conversion->fault_ns = 0;
	conversion->followed = CHAIN_NOT_FOLLOWED;
	add_conversion(&chain->links, conversion);
	/* Now it can be found. */
	conversion->number = number;
	remember_area(chain, conversion);
}

struct search {
	__u64 birth;
	__u64 gfn;
	__u64 sizes;		/* still to be looked for */
	__u64 number;		/* the last conversion found; 0: none */
};

static long look_up_size(__u32 i, struct search *search)
{
	__u64 pages = search->sizes & -search->sizes, key, *number;
	struct piece piece = { search->gfn & -pages, pages };

	if (!pages)
		return 1;
	search->sizes -= pages;
	key = key_of(search->birth, &piece);
	number = bpf_map_lookup_elem(&pieces, &key);
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

static struct chain_recent *recent_of(__u64 number, __u64 birth)
{
	__u32 at = number % CHAIN_RECENT;
	struct chain_recent *found = number ? bpf_map_lookup_elem(&recents, &at) : NULL;

	return found && found->number == number && found->birth == birth ? found : NULL;
}

/* Finds the last conversion that a gfn belongs to. */
static struct chain_recent *find_recent(const struct chain_vm *chain, __u64 birth, __u64 gfn)
{
	struct search search = { .birth = birth, .gfn = gfn, .sizes = chain->sizes };
	struct chain_recent *last = recent_of(chain->last_number, birth);

	/* Guests often use what they have just converted. */
	if (last && gfn >= last->area_start && gfn < last->area_end)
		return last;
	look_up_size(0, &search);
	if (search.sizes)
		bpf_loop(PIECES_MAX, look_up_size, &search, 0);
	return recent_of(search.number, birth);
}

/* After a fault that ends with the page mapped. */
static __always_inline void chain_fault(__u32 slot, __u64 gfn, __u64 ns)
{
	struct chain_vm *chain = bpf_map_lookup_elem(&chains, &slot);
	struct vm_slot *vm = bpf_map_lookup_elem(&vms, &slot);
	struct chain_recent *conversion = chain && vm ? find_recent(chain, vm->birth, gfn) : NULL;

	if (conversion)
		follow(chain, conversion, ns);
}

#endif
