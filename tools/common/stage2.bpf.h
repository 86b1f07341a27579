/* SPDX-License-Identifier: GPL-2.0 */
/* How BPF programs read stage-2 faults. */
#ifndef MEMATTR_STAGE2_BPF_H
#define MEMATTR_STAGE2_BPF_H

#include "stage2.h"
#include "vm_slots.bpf.h"

/* Bits of a fault's error code. The hardware defines the first two, KVM the last. */
#define PFERR_WRITE_MASK	(1ULL << 1)
#define PFERR_FETCH_MASK	(1ULL << 4)
#define PFERR_PRIVATE_ACCESS	(1ULL << 49)	/* since Linux 6.10 */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct kvm_memory_slot {
	__u32 flags;
};

struct kvm_page_fault {
	__u64 addr;
	__u64 error_code;
	_Bool prefetch;
	_Bool is_private;
	__u8 goal_level;
	struct kvm_memory_slot *slot;
	__u64 pfn;
	_Bool map_writable;
};
#pragma clang attribute pop

/* RESULT_* for each RET_PF_* of the running kernel. The collector fills it in. */
const volatile __u8 results[KERNEL_RESULTS];

/* Kernels before 6.12 number RET_PF_* differently. */
static __always_inline int result_of(int ret)
{
	if (ret < 0)
		return ret;
	return ret < KERNEL_RESULTS ? results[ret] : RESULT_UNKNOWN;
}

/* If nothing was mapped, KVM reports the level that it began with. */
static __always_inline __u32 mapped_level(int level, int result)
{
	return result == RESULT_FIXED || result == RESULT_SPURIOUS ? level : LEVEL_NONE;
}

/* For kernels since 6.10, or with the series. */
static __always_inline __u32 alias_of(__u64 error_code)
{
	return error_code & PFERR_PRIVATE_ACCESS ? ALIAS_PRIVATE : ALIAS_SHARED;
}

/* Until 6.9 no bit of the error code tells. */
static __always_inline __u32 fault_alias(const struct kvm_page_fault *fault)
{
	if (!bpf_core_field_exists(fault->is_private))
		return ALIAS_UNKNOWN;
	return fault->is_private ? ALIAS_PRIVATE : ALIAS_SHARED;
}

#endif
