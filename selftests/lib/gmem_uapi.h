/* SPDX-License-Identifier: GPL-2.0 */
/* What <linux/kvm.h> lacks if it comes from a series without conversion in place. */
#ifndef GMEM_UAPI_H
#define GMEM_UAPI_H

#include <linux/kvm.h>

#ifndef KVM_SET_MEMORY_ATTRIBUTES2
#define GUEST_MEMFD_FLAG_MMAP			(1ull << 0)
#define GUEST_MEMFD_FLAG_INIT_SHARED		(1ull << 1)
#define KVM_CAP_GUEST_MEMFD_FLAGS		244
#define KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES	252

struct kvm_memory_attributes2 {
	union {
		__u64 address;
		__u64 offset;
	};
	__u64 size;
	__u64 attributes;
	__u64 flags;
	__u64 error_offset;
	__u64 reserved[11];
};

#define KVM_SET_MEMORY_ATTRIBUTES2	_IOWR(KVMIO, 0xd2, struct kvm_memory_attributes2)
#endif

#endif
