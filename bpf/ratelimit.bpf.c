// SPDX-License-Identifier: GPL-2.0
/*
 * ratelimit: at most so many conversions per second and VM, by a token bucket. A VM that asks
 * faster gets -EAGAIN, which tells its VMM to let the guest try again later.
 *
 * For: hosts where one guest that converts without end (a bounce buffer that is made shared and
 * private for every transfer, or malice) takes slots_lock and TLB flushes from itself and its
 * neighbours.
 * Not for: a VMM that does not pass -EAGAIN on as a retry: it takes the refusal for a failure and
 * stops the guest. Nor for a guest that accepts its memory in small pieces while it boots, which
 * only gets slower: raise burst above what its boot needs.
 *
 * A conversion counts as one, whatever its size. In a guest_memfd it counts once for each memslot that maps
 * some of the pages, and once for each part that no memslot maps.
 */
#include "memattr.bpf.h"

#define NSEC_PER_SEC 1000000000ULL

MEMATTR_PARAM(u32, rate, 1000,
	      "conversions per second, in the long run [1..1000000 conversions/s]");
MEMATTR_PARAM(u32, burst, 100,
	      "conversions allowed at once after a pause [1..1000000 conversions]");
MEMATTR_PARAM(bool, to_private, true, "limit conversions to private");
MEMATTR_PARAM(bool, to_shared, true, "limit conversions to shared");

/*
 * One conversion takes NSEC_PER_SEC credit, and each nanosecond brings rate credit. In this unit
 * refilling needs no division, so nothing is lost by rounding however often it is done. The ranges
 * of rate and burst keep all sums far below 2^64.
 */
#define CREDIT_PER_CONVERSION NSEC_PER_SEC

struct bucket {
	struct bpf_spin_lock lock;	/* vCPUs convert at the same time */
	u64 credit;
	u64 filled_ns;			/* when credit was right */
};

MEMATTR_VM_STATE(ratelimit, struct bucket);

static u64 full_credit(void)
{
	return burst * CREDIT_PER_CONVERSION;
}

int MEMATTR_CALLBACK(ratelimit_vm_attach, struct kvm *kvm)
{
	struct bucket bucket = {};

	if (!rate || !burst || !(to_private || to_shared))
		return -ERANGE;

	bucket.credit = full_credit();
	bucket.filled_ns = bpf_ktime_get_ns();
	return ratelimit_add_vm(kvm, &bucket);
}

static void refill(struct bucket *bucket, u64 now_ns)
{
	u64 elapsed_ns, missing = full_credit() - bucket->credit;

	/* The clock is read before the lock is taken: somebody later may have been here already. */
	if (now_ns <= bucket->filled_ns)
		return;
	elapsed_ns = now_ns - bucket->filled_ns;
	bucket->filled_ns = now_ns;

	/* Asked by division, since after a long pause the product would not fit in 64 bits. */
	if (elapsed_ns > missing / rate)
		bucket->credit = full_credit();
	else
		bucket->credit += elapsed_ns * rate;
}

int MEMATTR_CALLBACK(ratelimit_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	u64 now_ns = bpf_ktime_get_ns();
	struct bucket *bucket;
	int ret = -EAGAIN;

	if (!(request->attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE ? to_private : to_shared))
		return 0;

	bucket = ratelimit_vm(kvm);
	/* Somebody deleted it. Better no policy than one that only seems to limit. */
	if (!bucket)
		return -ECANCELED;

	bpf_spin_lock(&bucket->lock);
	refill(bucket, now_ns);
	if (bucket->credit >= CREDIT_PER_CONVERSION) {
		bucket->credit -= CREDIT_PER_CONVERSION;
		ret = 0;
	}
	bpf_spin_unlock(&bucket->lock);
	return ret;
}

MEMATTR_OPS(ratelimit, vm_attach, vm_detach, convert);
