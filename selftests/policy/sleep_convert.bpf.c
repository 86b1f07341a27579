// SPDX-License-Identifier: GPL-2.0
/* sleep_convert: calls what may sleep, but is not marked as sleepable. */
#include "memattr.bpf.h"

extern int bpf_copy_from_user_str(void *text, u32 text__sz, const void *address__ign,
				  u64 flags) __ksym;

int MEMATTR_CALLBACK(sleep_convert_convert, struct kvm *kvm,
		     const struct kvm_memattr_convert_ctx *request)
{
	char text[8];

	bpf_copy_from_user_str(text, sizeof(text), NULL, 0);
	return 0;
}

MEMATTR_OPS(sleep_convert, convert);
