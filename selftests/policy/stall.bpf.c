// SPDX-License-Identifier: GPL-2.0
/*
 * stall: a convert that sleeps until userspace brings a page, refuses if it does not say what it
 * should, and ejects the policy for one gfn.
 *
 * For: tests of what goes on meanwhile.
 */
#include "memattr.bpf.h"

MEMATTR_PARAM(u64, address, 0, "of the page, in the process that converts");
MEMATTR_PARAM(u64, stall_gfn, 0, "conversions that start here wait for the page");
MEMATTR_PARAM(u64, eject_gfn, 0, "conversions that start here eject the policy");

extern int bpf_copy_from_user_str(void *text, u32 text__sz, const void *address__ign,
				  u64 flags) __ksym;

int MEMATTR_CALLBACK_SLEEPABLE(stall_convert, struct kvm *kvm,
			       const struct kvm_memattr_convert_ctx *request)
{
	char text[8] = "";

	if (request->gfn_start == eject_gfn)
		return 1;
	if (request->gfn_start != stall_gfn)
		return 0;
	if (bpf_copy_from_user_str(text, sizeof(text), (void *)address, 0) != sizeof("memattr"))
		return -EACCES;
	return bpf_strncmp(text, sizeof(text), "memattr") ? -EACCES : -EPERM;
}

MEMATTR_OPS(stall, convert);
