// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel side of prefault-trace: turns events into one series of counts for each vCPU and kind of event.
 * hooks.c decides which of the programs are loaded, by what the kernel offers.
 */
#include "stage2.bpf.h"

#include "events.h"

char LICENSE[] SEC("license") = "GPL";

#define PAGE_SHIFT 12

#define KVM_MEM_READONLY	(1U << 1)

/* In an entry of the second stage's page tables, of either vendor. */
#define PT_WRITABLE_MASK	(1ULL << 1)

/* Only the members that are read are declared; their offsets come from the running kernel's BTF. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
/* This struct comes with the memattr kernel series. */
struct kvm_memattr_prefault_ctx {
	__u64 window_start, window_end;
	__u32 reason;
	__s32 vcpu_id;
};

struct file {
	void *private_data;
};
#pragma clang attribute pop

struct kvm_pre_fault_memory {
	__u64 gpa;
	__u64 size;
	__u64 flags;
	__u64 padding[5];
};

#define KVM_PRE_FAULT_MEMORY 0xc040aed5

/* 0: every process. */
const volatile __u32 only_pid;
const volatile _Bool fold_stacks;

/* The collector sets the number of entries of this map and of the next two. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TRACE_SERIES);
	__type(key, __u32);
	__type(value, struct trace_series);
} series SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TRACE_SERIES);
	__type(key, struct trace_series_key);
	__type(value, __u32);
} series_ids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, TRACE_SERIES);
	__type(value, __u32);
} free_series SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct trace_slow_table);
} slow SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, TRACE_STACKS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, TRACE_FOLDED_FRAMES * sizeof(__u64));
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TRACE_STACKS);
	__type(key, struct trace_stack_key);
	__type(value, struct trace_stack);
} stack_times SEC(".maps");

/* When a task began what it is doing, for hooks at both ends of a function. */
struct began {
	__u64 fault_ns;
	__u64 call_ns;
	__u64 size;	/* of the call's range */
	__u64 maps_read_only;	/* the page that is mapped ahead */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct began);
} began SEC(".maps");

/* The series of the last fault on this CPU: usually the next fault belongs to the same series. */
struct last_fault {
	struct kvm *kvm;
	struct trace_kind kind;
	__u32 vcpu;
	__u32 epoch;
	__u32 series;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct last_fault);
} last_faults SEC(".maps");

static void vm_begins(struct kvm *kvm, __u32 slot)
{
}

/* The kernel counts these; the collector reads them elsewhere while the VM lives. */
static void vm_ends(struct kvm *kvm, struct vm_slot *vm, __u32 slot)
{
	if (!bpf_core_field_exists(kvm->memattr_stat.prefaulted_pages))
		return;
	vm->prefaulted = BPF_CORE_READ(kvm, memattr_stat.prefaulted_pages.counter);
	vm->unused = BPF_CORE_READ(kvm, memattr_stat.prefaulted_unused.counter);
}

__u64 lost_events;	/* events for which no slot or no series was free */
__u64 lost_stacks;	/* stacks that could not be stored; their time is kept */
__u64 slow_floor_ns;	/* a faster fault is not among the slowest */

static __u32 series_of(struct trace_series_key *key)
{
	__u32 *id = bpf_map_lookup_elem(&series_ids, key);

	return id ? *id : NO_SLOT;
}

static __u32 series_add(struct trace_series_key *key)
{
	struct trace_series *s;
	__u32 id;

	if (bpf_map_pop_elem(&free_series, &id))
		return NO_SLOT;
	s = bpf_map_lookup_elem(&series, &id);
	if (!s)
		return NO_SLOT;
	s->vm = key->vm;
	s->vcpu = key->vcpu;
	s->kind = key->kind;
	if (bpf_map_update_elem(&series_ids, key, &id, BPF_NOEXIST)) {
		/*
		 * Unlikely, as a vCPU runs in one thread at a time; but events must not be split
		 * over two series.
		 */
		bpf_map_push_elem(&free_series, &id, 0);
		return series_of(key);
	}
	s->used = 1;
	return id;
}

/* An event, whatever hook it came from. Not every hook has a vCPU that can be dereferenced directly. */
struct event {
	struct kvm *kvm;
	struct trace_kind kind;
	__u32 vcpu;
	__u64 gpa;
	__u64 ns;
	__u64 pages;
	__u64 done_pages;
};

static struct trace_series *look_up_series(const struct event *ev, __u32 *found)
{
	struct trace_series_key key = { .vcpu = ev->vcpu, .kind = ev->kind };
	struct trace_series *s;
	__u32 id;

	key.vm = slot_of(ev->kvm);
	if (key.vm == NO_SLOT) {
		__sync_fetch_and_add(&lost_events, 1);
		return NULL;
	}
	id = series_of(&key);
	if (id == NO_SLOT)
		id = series_add(&key);
	s = bpf_map_lookup_elem(&series, &id);
	if (!s)
		__sync_fetch_and_add(&lost_events, 1);
	*found = id;
	return s;
}

/* Only one program counts faults, and it never interrupts itself: nobody else uses the CPU's entry. */
static struct trace_series *find_series(const struct event *ev)
{
	__u32 zero = 0, now = epoch, id;
	struct trace_series *s;
	struct last_fault *last;

	if (ev->kind.event != EVENT_FAULT)
		return look_up_series(ev, &id);
	last = bpf_map_lookup_elem(&last_faults, &zero);
	if (!last)
		return NULL;
	if (last->kvm == ev->kvm && last->vcpu == ev->vcpu && last->epoch == now &&
	    *(__u64 *)&last->kind == *(__u64 *)&ev->kind)
		return bpf_map_lookup_elem(&series, &last->series);
	s = look_up_series(ev, &id);
	if (!s)
		return NULL;
	last->kvm = ev->kvm;
	last->vcpu = ev->vcpu;
	last->kind = ev->kind;
	last->series = id;
	last->epoch = now;
	return s;
}

static _Bool is_wanted_here(void)
{
	return !only_pid || bpf_get_current_pid_tgid() >> 32 == only_pid;
}

static _Bool is_wanted(struct kvm_vcpu *vcpu)
{
	/* The verifier assumes that every argument of a module's tracepoint may be NULL. */
	return vcpu && is_wanted_here();
}

static void add_time(struct trace_series *s, __u64 ns)
{
	__u32 bucket = h2_bucket(ns);

	__sync_fetch_and_add(&s->ns, ns);
	/* The faults of one vCPU come one after the other, so there is no race. */
	if (ns > s->max_ns)
		s->max_ns = ns;
	if (bucket < H2_BUCKETS)
		__sync_fetch_and_add(&s->latency[bucket], 1);
}

/* Walking a stack takes longer than everything else here: done only if asked for. */
static void add_stack(void *ctx, const struct event *ev)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct trace_stack_key key = { .kind = ev->kind };
	struct trace_stack *sum, first = {};

	key.pid = bpf_get_current_pid_tgid() >> 32;
	BPF_CORE_READ_STR_INTO(&key.comm, task, group_leader, comm);
	key.stack = bpf_get_stackid(ctx, &stacks, 0);
	if (key.stack < 0) {
		__sync_fetch_and_add(&lost_stacks, 1);
		key.stack = -1;
	}
	sum = bpf_map_lookup_elem(&stack_times, &key);
	if (!sum) {
		bpf_map_update_elem(&stack_times, &key, &first, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(&stack_times, &key);
	}
	if (!sum) {
		__sync_fetch_and_add(&lost_stacks, 1);
		return;
	}
	__sync_fetch_and_add(&sum->count, 1);
	__sync_fetch_and_add(&sum->ns, ev->ns);
}

static __noinline void keep_slow(void *ctx, const struct event *ev)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 frames[TRACE_FRAMES] = {};
	char comm[TASK_COMM_LEN] = {};
	struct trace_slow_table *table;
	struct trace_slow *entry;
	__u32 zero = 0, pid, at, least = 0;
	__u64 least_ns = ~0ULL;
	long len;

	table = bpf_map_lookup_elem(&slow, &zero);
	if (!table)
		return;
	len = bpf_get_stack(ctx, frames, sizeof(frames), 0);
	pid = bpf_get_current_pid_tgid() >> 32;
	BPF_CORE_READ_STR_INTO(&comm, task, group_leader, comm);

	bpf_spin_lock(&table->lock);
	at = table->count < TRACE_SLOW ? table->count : table->least;
	if (at >= TRACE_SLOW)
		goto unlock;
	entry = &table->entries[at];
	if (table->count >= TRACE_SLOW && entry->ns >= ev->ns)
		goto unlock;
	entry->ns = ev->ns;
	entry->gpa = ev->gpa;
	entry->pid = pid;
	entry->vcpu = ev->vcpu;
	entry->kind = ev->kind;
	__builtin_memcpy(entry->comm, comm, sizeof(comm));
	entry->frame_count = len > 0 ? len / sizeof(__u64) : 0;
	__builtin_memcpy(entry->frames, frames, sizeof(frames));
	if (table->count < TRACE_SLOW)
		table->count++;
	if (table->count < TRACE_SLOW)
		goto unlock;
	for (__u32 i = 0; i < TRACE_SLOW; i++) {
		if (table->entries[i].ns < least_ns) {
			least_ns = table->entries[i].ns;
			least = i;
		}
	}
	table->least = least;
	slow_floor_ns = least_ns;
unlock:
	bpf_spin_unlock(&table->lock);
}

static void count(void *ctx, const struct event *ev)
{
	struct trace_series *s = find_series(ev);

	if (!s)
		return;
	__sync_fetch_and_add(&s->count, 1);
	if (ev->pages)
		__sync_fetch_and_add(&s->pages, ev->pages);
	if (ev->done_pages)
		__sync_fetch_and_add(&s->done_pages, ev->done_pages);
	if (ev->kind.event == EVENT_MAP || ev->kind.event == EVENT_WINDOW ||
	    ev->kind.result == RESULT_UNKNOWN)
		return;
	add_time(s, ev->ns);
	/* Once the table is full of slower ones, almost no fault gets past this. */
	if (ev->kind.event == EVENT_FAULT && ev->ns > slow_floor_ns)
		keep_slow(ctx, ev);
	if (fold_stacks)
		add_stack(ctx, ev);
}

/* For hooks whose vCPU can be dereferenced directly. */
static __always_inline int count_of(void *ctx, struct kvm_vcpu *vcpu, struct event *ev)
{
	ev->kvm = vcpu->kvm;
	ev->vcpu = vcpu->vcpu_id;
	count(ctx, ev);
	return 0;
}

static __always_inline struct trace_kind fault_kind(__u64 error_code, __u32 alias, int level, int result)
{
	return (struct trace_kind){
		.event = EVENT_FAULT,
		.alias = alias,
		.level = mapped_level(level, result),
		.access = error_code & PFERR_WRITE_MASK ? ACCESS_WRITE :
			  error_code & PFERR_FETCH_MASK ? ACCESS_EXEC : ACCESS_READ,
		.result = result,
	};
}

static __always_inline struct event call_event(__u64 gpa, __u64 size, __u64 done, int ret, __u64 ns)
{
	return (struct event){
		.kind = {
			.event = EVENT_CALL,
			.alias = ALIAS_UNKNOWN,
			.access = ACCESS_UNKNOWN,
			.result = ret,
		},
		.gpa = gpa,
		.ns = ns,
		.pages = size >> PAGE_SHIFT,
		.done_pages = done >> PAGE_SHIFT,
	};
}

static __always_inline struct event map_event(__u32 alias, __u32 level, __u32 access, __u64 pages,
					      __u64 new_pages)
{
	return (struct event){
		.kind = {
			.event = EVENT_MAP,
			.alias = alias,
			.level = level,
			.access = access,
		},
		.pages = pages,
		.done_pages = new_pages,
	};
}

SEC("tp_btf/kvm_stage2_fault")
int BPF_PROG(stage2_fault, struct kvm_vcpu *vcpu, __u64 gpa, __u64 error_code, int level,
	     _Bool prefaulted, int ret, __u64 ns)
{
	struct event ev = {
		.kind = fault_kind(error_code, alias_of(error_code), level, result_of(ret)),
		.gpa = gpa, .ns = ns,
	};

	if (!is_wanted(vcpu))
		return 0;
	ev.kind.prefaulted = prefaulted;
	return count_of(ctx, vcpu, &ev);
}

SEC("tp_btf/kvm_pre_fault_memory")
int BPF_PROG(pre_fault_memory, struct kvm_vcpu *vcpu, __u64 gpa, __u64 size, __u64 done, int ret,
	     __u64 ns)
{
	struct event ev = call_event(gpa, size, done, ret, ns);

	if (!is_wanted(vcpu))
		return 0;
	return count_of(ctx, vcpu, &ev);
}

static struct began *task_began(void)
{
	return bpf_task_storage_get(&began, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/*
 * What the guest may do with a page that is mapped ahead. KVM only reads for it, so memory that
 * nobody has written to becomes the zero page, which the first write faults on again. Nothing is
 * known if KVM did not look the page up.
 */
static __always_inline __u32 map_access(const struct kvm_page_fault *fault)
{
	if (!fault->pfn || fault->map_writable || fault->slot->flags & KVM_MEM_READONLY)
		return ACCESS_UNKNOWN;
	return ACCESS_READ;
}

/*
 * The tracepoint kvm_prefault_map, which follows, does not tell whether the page is writable. kvm_tdp_page_fault
 * knows, but the guest's faults would pay for a hook there, too. This function gets the entry that KVM makes for a
 * page ahead, whose Accessed bit it removes. It is called for no other page, except where pages age without that bit.
 */
SEC("fentry/mark_spte_for_access_track")
int BPF_PROG(prefetch_access, __u64 spte)
{
	struct began *task;

	if (!is_wanted_here())
		return 0;
	task = task_began();
	if (task)
		task->maps_read_only = !(spte & PT_WRITABLE_MASK);
	else
		__sync_fetch_and_add(&lost_events, 1);
	return 0;
}

static __always_inline int count_map(void *ctx, struct kvm_vcpu *vcpu, _Bool private, int level,
				     __u32 access, __u64 pages, __u64 new_pages)
{
	struct event ev = map_event(private ? ALIAS_PRIVATE : ALIAS_SHARED, level, access, pages,
				    new_pages);

	if (!is_wanted(vcpu))
		return 0;
	return count_of(ctx, vcpu, &ev);
}

SEC("tp_btf/kvm_prefault_map")
int BPF_PROG(prefault_map, struct kvm_vcpu *vcpu, __u64 gfn, _Bool private, int level, __u64 pages,
	     __u64 new_pages)
{
	struct began *task = bpf_task_storage_get(&began, bpf_get_current_task_btf(), 0, 0);
	__u32 access = ACCESS_UNKNOWN;

	if (vcpu && task && task->maps_read_only) {
		task->maps_read_only = 0;
		/* KVM has just looked for the page's slot. */
		if (!private && !(vcpu->last_used_slot->flags & KVM_MEM_READONLY))
			access = ACCESS_READ;
	}
	return count_map(ctx, vcpu, private, level, access, pages, new_pages);
}

SEC("tp_btf/kvm_prefault_map")
int BPF_PROG(prefault_map_only, struct kvm_vcpu *vcpu, __u64 gfn, _Bool private, int level, __u64 pages,
	     __u64 new_pages)
{
	return count_map(ctx, vcpu, private, level, ACCESS_UNKNOWN, pages, new_pages);
}

SEC("tp_btf/kvm_memattr_prefault")
int BPF_PROG(memattr_prefault, struct kvm *kvm, const struct kvm_memattr_prefault_ctx *window,
	     __u64 start, __u64 end)
{
	struct event ev = {
		.kind = {
			.event = EVENT_WINDOW,
			.alias = ALIAS_PRIVATE,
			.access = ACCESS_UNKNOWN,
		},
		.kvm = kvm,
		.pages = end - start,
	};

	if (!kvm || !window || !is_wanted_here())
		return 0;
	ev.kind.reason = window->reason;
	ev.vcpu = window->vcpu_id;
	ev.done_pages = window->window_end - window->window_start;
	count(ctx, &ev);
	return 0;
}

/* --- hooks at functions, for kernels without these tracepoints --- */

static void count_prefetch(void *ctx, struct kvm_vcpu *vcpu, struct kvm_page_fault *fault, int result)
{
	__u32 level = fault->goal_level;
	struct event ev;
	__u64 pages;

	if ((result != RESULT_FIXED && result != RESULT_SPURIOUS && result != RESULT_WRITE_PROTECTED) ||
	    level < 1 || level > 3)
		return;
	pages = 1ULL << 9 * (level - 1);
	ev = map_event(fault_alias(fault), level, map_access(fault), pages,
		       result == RESULT_FIXED ? pages : 0);
	count_of(ctx, vcpu, &ev);
}

SEC("fexit/kvm_tdp_page_fault")
int BPF_PROG(prefetch_page, struct kvm_vcpu *vcpu, struct kvm_page_fault *fault, int ret)
{
	if (fault->prefetch && is_wanted(vcpu))
		count_prefetch(ctx, vcpu, fault, result_of(ret));
	return 0;
}

/* Returns false if the function began before the hook was attached. */
static _Bool since(__u64 *then, __u64 *ns)
{
	if (!*then)
		return 0;
	*ns = bpf_ktime_get_ns() - *then;
	*then = 0;
	return 1;
}

SEC("fentry/kvm_tdp_page_fault")
int BPF_PROG(tdp_fault_begin, struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	struct began *task;

	if (fault->prefetch || !is_wanted(vcpu))
		return 0;
	task = task_began();
	if (task)
		task->fault_ns = bpf_ktime_get_ns();
	else
		__sync_fetch_and_add(&lost_events, 1);
	return 0;
}

SEC("fexit/kvm_tdp_page_fault")
int BPF_PROG(tdp_fault_end, struct kvm_vcpu *vcpu, struct kvm_page_fault *fault, int ret)
{
	struct event ev = { .gpa = fault->addr };
	struct began *task;

	if (!is_wanted(vcpu))
		return 0;
	if (fault->prefetch) {
		count_prefetch(ctx, vcpu, fault, result_of(ret));
		return 0;
	}
	task = task_began();
	if (!task || !since(&task->fault_ns, &ev.ns))
		return 0;
	ev.kind = fault_kind(fault->error_code, fault_alias(fault), fault->goal_level, result_of(ret));
	return count_of(ctx, vcpu, &ev);
}

/* Runs before KVM handles the fault: neither its result nor its latency is known. */
SEC("tp_btf/kvm_page_fault")
int BPF_PROG(page_fault, struct kvm_vcpu *vcpu, __u64 address, __u64 error_code)
{
	/* For VMs whose hardware does not tell the alias, KVM finds it out later. */
	struct event ev = {
		.kind = fault_kind(error_code, ALIAS_UNKNOWN, LEVEL_NONE, RESULT_UNKNOWN),
	};

	if (!is_wanted(vcpu))
		return 0;
	return count_of(ctx, vcpu, &ev);
}

/* Every KVM_RUN comes here, too: return early. */
SEC("fentry/kvm_vcpu_ioctl")
int BPF_PROG(vcpu_ioctl_begin, struct file *file, unsigned int request, unsigned long arg)
{
	struct kvm_pre_fault_memory range;
	struct began *task;

	if (request != KVM_PRE_FAULT_MEMORY || !is_wanted(file->private_data) ||
	    bpf_probe_read_user(&range, sizeof(range), (void *)arg))
		return 0;
	task = task_began();
	if (!task) {
		__sync_fetch_and_add(&lost_events, 1);
		return 0;
	}
	task->size = range.size;
	task->call_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("fexit/kvm_vcpu_ioctl")
int BPF_PROG(vcpu_ioctl_end, struct file *file, unsigned int request, unsigned long arg, long ret)
{
	struct kvm_vcpu *vcpu = file->private_data;
	struct kvm_pre_fault_memory range;
	struct began *task;
	struct event ev;
	__u64 ns, done = 0;

	if (request != KVM_PRE_FAULT_MEMORY || !is_wanted(vcpu))
		return 0;
	task = task_began();
	if (!task || !since(&task->call_ns, &ns))
		return 0;
	/* If KVM processed anything, it wrote back the rest of the range. */
	if (!bpf_probe_read_user(&range, sizeof(range), (void *)arg) && range.size < task->size)
		done = task->size - range.size;
	ev = call_event(range.gpa, task->size, done, ret, ns);
	ev.kvm = BPF_CORE_READ(vcpu, kvm);
	ev.vcpu = BPF_CORE_READ(vcpu, vcpu_id);
	count(ctx, &ev);
	return 0;
}
