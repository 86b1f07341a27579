// SPDX-License-Identifier: GPL-2.0
/*
 * chaos: misbehaves at random, in every way that the verifier lets through.
 *
 * For: chaos.c, which keeps changing its mind.
 * Not for: anything else.
 *
 * One object holds three policies, which differ in convert. At most one of them may govern a VM at
 * a time: they share the list of VMs.
 */
#include "memattr.bpf.h"
#include "chaos.h"
#include "exits.h"

#define PERMILLE 1000
#define MAX_VMS 64
#define SCRATCH_ENTRIES 64
#define NEST 16
/* A refusal of this many pages is not final: it is how a VMM sets up its guest. */
#define LARGE_PAGES 1024

#ifndef MAX_ERRNO
#define MAX_ERRNO 4095
#endif

struct chaos_weights weights;
u64 random_state;
u32 loop_turns;
/* Memory of the VMM. */
u64 user_start, user_bytes;

/* Keeps the loops from being optimized away. */
u64 sum;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CHAOS_COUNTS);
	__type(key, u32);
	__type(value, u64);
} chaos_counts SEC(".maps");

/* How often a VM was attached and not detached yet. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_VMS);
	__type(key, u64);
	__type(value, u32);
} chaos_vms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SCRATCH_ENTRIES);
	__type(key, u32);
	__type(value, u64);
} chaos_scratch SEC(".maps");

extern int bpf_copy_from_user_str(void *dst, u32 dst__sz, const void *unsafe_ptr__ign,
				  u64 flags) __ksym __weak;

/*
 * What is not static from here on is verified by itself, not again at each place that calls it: to
 * load this takes seconds instead of minutes on a debug kernel.
 */
__noinline int count(u32 index, u64 add)
{
	u64 *value = bpf_map_lookup_elem(&chaos_counts, &index);

	if (value)
		__sync_fetch_and_add(value, add);
	return 0;
}

/* splitmix64: the same seed gives the same numbers, though not to the same callers. */
__noinline u64 random_u64(void)
{
	u64 z = __sync_fetch_and_add(&random_state, 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

__noinline int chance(u32 permille)
{
	return random_u64() % PERMILLE < permille;
}

static int turn(u32 index, void *context)
{
	sum += index;
	return 0;
}

static int nested_turn(u32 index, void *context)
{
	int stop = chance(20);

	bpf_loop(loop_turns / NEST, turn, NULL, 0);
	/* The verifier wants to see that it is 0 or 1, the compiler knows. */
	barrier_var(stop);
	return stop & 1;
}

__noinline int loop(void)
{
	count(CHAOS_LOOPS, 1);
	if (chance(PERMILLE / 2))
		bpf_loop(loop_turns, turn, NULL, 0);
	else
		bpf_loop(NEST, nested_turn, NULL, 0);
	return 0;
}

__noinline int scribble_once(void)
{
	u32 key = random_u64() % (2 * SCRATCH_ENTRIES);
	u64 value = random_u64();

	if (value % 4 == 0)
		bpf_map_delete_elem(&chaos_scratch, &key);
	else
		bpf_map_update_elem(&chaos_scratch, &key, &value, 0);
	return 0;
}

static int scribble(u32 index, void *context)
{
	scribble_once();
	return 0;
}

struct bpf_map;

/* Changes the map that is being walked. */
static long scribble_more(struct bpf_map *map, const u32 *key, u64 *value, u32 *left)
{
	u32 other = random_u64() % SCRATCH_ENTRIES;

	bpf_loop(2, scribble, NULL, 0);
	bpf_map_update_elem(&chaos_scratch, &other, value, 0);
	return !*left || !--*left;
}

__noinline int recurse(void)
{
	u32 left = 2 * SCRATCH_ENTRIES;

	count(CHAOS_RECURSIONS, 1);
	bpf_loop(4, scribble, NULL, 0);
	bpf_for_each_map_elem(&chaos_scratch, scribble_more, &left, 0);
	return 0;
}

__noinline u64 random_gfn(u64 gfn)
{
	switch (random_u64() % 4) {
	case 0:
		return gfn;
	case 1:
		return gfn + random_u64() % 4096;
	case 2:
		return random_u64() >> 12;
	default:
		return random_u64();	/* no gfn, mostly */
	}
}

static void ask(struct kvm *kvm, u64 gfn)
{
	u64 start = random_gfn(gfn), end = random_gfn(gfn), at = start;
	union kvm_bpf_attr_range *range;
	u64 ranges = 0;

	count(CHAOS_KFUNCS, 1);
	bpf_for_each(kvm_attr_range, range, kvm, start, end) {
		if (range->start != at || range->end <= at || range->end > end)
			count(CHAOS_BAD_RANGE, 1);
		at = range->end;
		ranges++;
		/* By chance: the verifier would follow a count through all its values. */
		if (chance(10))
			break;
	}
	count(CHAOS_RANGES, ranges);
}

/* In all callbacks for a VM: those before vm_attach and behind vm_detach are an error of KVM's. */
static __always_inline void anywhere(struct kvm *kvm, u64 gfn)
{
	if (chance(weights.loop))
		loop();
	if (chance(weights.recurse))
		recurse();
	if (chance(weights.ask))
		ask(kvm, gfn);
}

static void expect_attached(struct kvm *kvm)
{
	u64 key = memattr_vm_key(kvm);

	if (!bpf_map_lookup_elem(&chaos_vms, &key))
		count(CHAOS_NOT_ATTACHED, 1);
}

static int valid_refusal(const struct kvm_memattr_convert_ctx *request)
{
	u32 die = random_u64() % 16;

	if (die < 11 || request->gfn_end - request->gfn_start >= LARGE_PAGES)
		return -EAGAIN;
	if (die < 13)
		return -EBUSY;
	return die == 13 ? -EPERM : die == 14 ? -EACCES : -ENOSPC;
}

__noinline int no_verdict(void)
{
	switch (random_u64() % 6) {
	case 0:
		return 1;
	case 1:
		return -EINVAL;
	case 2:
		return -EINTR;
	case 3:
		return (s32)0x80000000;
	case 4:
		return 0x7fffffff;
	default:
		return -MAX_ERRNO - 1 - random_u64() % 1000;
	}
}

/* What all callbacks of a VM that is attached return, but for refusals. */
__noinline int no_refusal(void)
{
	if (chance(weights.eject)) {
		count(CHAOS_EJECT_REQUESTS, 1);
		return -ECANCELED;
	}
	return chance(weights.bad_return) ? no_verdict() : 0;
}

static __always_inline int verdict(struct kvm *kvm, const struct kvm_memattr_convert_ctx *request)
{
	int answer;

	count(CHAOS_CONVERTS, 1);
	expect_attached(kvm);
	anywhere(kvm, request->gfn_start);
	answer = no_refusal();
	if (answer || !chance(weights.refuse))
		return answer;
	count(CHAOS_REFUSALS, 1);
	return valid_refusal(request);
}

int MEMATTR_CALLBACK(chaos_vm_attach, struct kvm *kvm)
{
	u64 key = memattr_vm_key(kvm);
	u32 first = 1, *times;

	anywhere(kvm, 0x100000);
	if (chance(weights.attach_refuse)) {
		count(CHAOS_ATTACH_REFUSED, 1);
		return chance(PERMILLE / 2) ? no_verdict() : -ERANGE;
	}
	times = bpf_map_lookup_elem(&chaos_vms, &key);
	if (times) {
		count(CHAOS_ATTACHED_TWICE, 1);
		__sync_fetch_and_add(times, 1);
	} else if (bpf_map_update_elem(&chaos_vms, &key, &first, BPF_NOEXIST)) {
		count(CHAOS_ATTACH_REFUSED, 1);
		return -ENOMEM;
	}
	count(CHAOS_ATTACHED, 1);
	return 0;
}

void MEMATTR_CALLBACK(chaos_vm_detach, struct kvm *kvm, const struct kvm_memattr_exit *exit)
{
	u64 key = memattr_vm_key(kvm);
	u32 *times;

	count(CHAOS_DETACHED, 1);
	expect_attached(kvm);
	if (!exit_kind_is_known(exit->kind) || !exit->text[0])
		count(CHAOS_NO_REASON, 1);
	anywhere(kvm, 0x100000);
	times = bpf_map_lookup_elem(&chaos_vms, &key);
	if (times && __sync_fetch_and_add(times, -1) == 1)
		bpf_map_delete_elem(&chaos_vms, &key);
}

int chaos_tail_convert(unsigned long long *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__array(values, int (void *));
} chaos_tails SEC(".maps") = {
	.values = { (void *)&chaos_tail_convert },
};

/* Calls itself until KVM's, i.e. BPF's, limit is reached or chance has it. */
int MEMATTR_CALLBACK(chaos_tail_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	count(CHAOS_TAIL_CALLS, 1);
	if (chance(900))
		bpf_tail_call(ctx, &chaos_tails, 0);
	return verdict(kvm, request);
}

int MEMATTR_CALLBACK(chaos_convert, struct kvm *kvm, const struct kvm_memattr_convert_ctx *request)
{
	if (chance(weights.tail))
		bpf_tail_call(ctx, &chaos_tails, 0);
	return verdict(kvm, request);
}

int MEMATTR_CALLBACK_SLEEPABLE(chaos_sleep_convert, struct kvm *kvm,
			       const struct kvm_memattr_convert_ctx *request)
{
	char text[64];

	if (chance(weights.sleep)) {
		u64 address = random_u64();

		if (user_bytes && !chance(100))
			address = user_start + address % user_bytes;
		count(CHAOS_SLEEPS, 1);
		if (bpf_copy_from_user_str(text, sizeof(text), (void *)address, 0) < 0)
			count(CHAOS_SLEEP_ERRORS, 1);
	}
	return verdict(kvm, request);
}

static void widen(struct kvm_memattr_zap_ctx *zap)
{
	count(CHAOS_WIDENED, 1);
	zap->zap_start -= random_u64() % (zap->gfn_start - zap->slot_start + 1);
	zap->zap_end += random_u64() % (zap->slot_end - zap->gfn_end + 1);
}

static void zap_wrong(struct kvm_memattr_zap_ctx *zap)
{
	switch (random_u64() % 6) {
	case 0:
		zap->zap_start = zap->gfn_start + 1;
		break;
	case 1:
		zap->zap_end = zap->gfn_end - 1;
		break;
	case 2:
		zap->zap_start = zap->slot_start - 1;
		break;
	case 3:
		zap->zap_end = zap->slot_end + 1 + random_u64() % 4096;
		break;
	case 4:
		zap->zap_start = ~0ULL;
		zap->zap_end = 0;
		break;
	default:
		zap->zap_start = 0;
		zap->zap_end = ~0ULL;
	}
}

int MEMATTR_CALLBACK(chaos_zap, struct kvm *kvm, struct kvm_memattr_zap_ctx *zap)
{
	count(CHAOS_ZAPS, 1);
	expect_attached(kvm);
	anywhere(kvm, zap->gfn_start);
	if (chance(weights.widen))
		widen(zap);
	if (chance(weights.bad_zap))
		zap_wrong(zap);
	return no_refusal();
}

int MEMATTR_CALLBACK(chaos_prefault, struct kvm *kvm, struct kvm_memattr_prefault_ctx *fault)
{
	count(CHAOS_PREFAULTS, 1);
	expect_attached(kvm);
	anywhere(kvm, fault->gfn_start);
	if (chance(weights.prefault)) {
		count(CHAOS_WINDOWS, 1);
		fault->window_start = fault->gfn_start - random_u64() % 64;
		fault->window_end = fault->gfn_end + random_u64() % 2048;
		if (chance(PERMILLE / 2))
			fault->flags = KVM_MEMATTR_PREFAULT_ALLOC;
	}
	if (chance(weights.bad_prefault)) {
		if (chance(PERMILLE / 2))
			fault->flags = random_u64();
		fault->window_start = random_u64();
		fault->window_end = random_u64();
	}
	return no_refusal();
}

int MEMATTR_CALLBACK(chaos_gmem_block, struct kvm *kvm, const struct kvm_memattr_gmem_block_ctx *block)
{
	int answer;

	count(CHAOS_BLOCKS, 1);
	expect_attached(kvm);
	anywhere(kvm, block->block_gfn);
	answer = no_refusal();
	if (answer || !chance(weights.block))
		return answer;
	count(CHAOS_BLOCKS_WANTED, 1);
	return 1;
}

MEMATTR_OPS(chaos, vm_attach, vm_detach, convert, zap, prefault, gmem_block);

SEC(".struct_ops.link")
struct kvm_memattr_ops chaos_sleep = {
	.vm_attach = (void *)chaos_vm_attach,
	.vm_detach = (void *)chaos_vm_detach,
	.convert = (void *)chaos_sleep_convert,
	.zap = (void *)chaos_zap,
	.prefault = (void *)chaos_prefault,
	.gmem_block = (void *)chaos_gmem_block,
	.vm_fd = -1,
	.name = "chaos_sleep",
};

SEC(".struct_ops.link")
struct kvm_memattr_ops chaos_tail = {
	.vm_attach = (void *)chaos_vm_attach,
	.vm_detach = (void *)chaos_vm_detach,
	.convert = (void *)chaos_tail_convert,
	.zap = (void *)chaos_zap,
	.prefault = (void *)chaos_prefault,
	.gmem_block = (void *)chaos_gmem_block,
	.vm_fd = -1,
	.name = "chaos_tail",
};
