// SPDX-License-Identifier: GPL-2.0
/* write_kvm: writes to struct kvm, which is nobody's business but KVM's. */
#include "memattr.bpf.h"

int MEMATTR_CALLBACK(write_kvm_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	kvm->userspace_pid = 1;
	return 0;
}

MEMATTR_OPS(write_kvm, convert);
