// SPDX-License-Identifier: GPL-2.0
/*
 * parts: records what it is asked about, refuses one gfn, and can be made to wait. All of it is in
 * its .bss.
 *
 * For: parts.c.
 */
#include "memattr.bpf.h"
#include "parts.h"

struct kvm_memattr_convert_ctx___parts {
	u64 pgoff_start, pgoff_end;
} __attribute__((preserve_access_index));

extern int bpf_copy_from_user_str(void *text, u32 text__sz, const void *address__ign,
				  u64 flags) __ksym;

struct part asks[PARTS_MAX], zaps[PARTS_MAX];
unsigned int nr_asks, nr_zaps;
unsigned long long refused_gfn;	/* unless it is 0 */
unsigned long long wait_address;	/* of a page that convert waits for, unless it is 0 */

int MEMATTR_CALLBACK_SLEEPABLE(parts_convert, struct kvm *kvm,
			       const struct kvm_memattr_convert_ctx *request)
{
	const struct kvm_memattr_convert_ctx___parts *file = (const void *)request;
	u32 i = nr_asks++ % PARTS_MAX;
	char text[8];

	asks[i].gfn_start = request->gfn_start;
	asks[i].gfn_end = request->gfn_end;
	asks[i].start = file->pgoff_start;
	asks[i].end = file->pgoff_end;
	asks[i].reason = request->reason;
	if (wait_address)
		bpf_copy_from_user_str(text, sizeof(text), (void *)wait_address, 0);
	return refused_gfn && request->gfn_start == refused_gfn ? -EPERM : 0;
}

int MEMATTR_CALLBACK(parts_zap, struct kvm *kvm, struct kvm_memattr_zap_ctx *zap)
{
	u32 i = nr_zaps++ % PARTS_MAX;

	zaps[i].gfn_start = zap->gfn_start;
	zaps[i].gfn_end = zap->gfn_end;
	zaps[i].start = zap->slot_start;
	zaps[i].end = zap->slot_end;
	return 0;
}

MEMATTR_OPS(parts, convert, zap);
