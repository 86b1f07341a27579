/* SPDX-License-Identifier: GPL-2.0 */
/* What KVM tells of stage-2 faults, in the numbers that our tools keep. Shared by BPF and C. */
#ifndef MEMATTR_STAGE2_H
#define MEMATTR_STAGE2_H

enum trace_alias {
	ALIAS_SHARED,
	ALIAS_PRIVATE,
	ALIAS_UNKNOWN,	/* a call can cover both; some hooks do not tell */
	ALIAS_COUNT,
};

#define LEVEL_NONE	0	/* nothing was mapped; then 1, 2, 3: 4K, 2M, 1G */
#define LEVEL_COUNT	4

/*
 * Results of KVM's page faults; below 0 it is -errno. These are the RET_PF_* of 6.12's
 * arch/x86/kvm/mmu/mmu_internal.h. Other kernels number theirs differently: see results.h.
 */
#define RESULT_CONTINUE		0
#define RESULT_RETRY		1
#define RESULT_EMULATE		2
#define RESULT_WRITE_PROTECTED	3
#define RESULT_INVALID		4
#define RESULT_FIXED		5
#define RESULT_SPURIOUS		6
#define RESULT_UNKNOWN		7	/* our own: the hook does not tell the result */

/* No kernel has as many RET_PF_*. */
#define KERNEL_RESULTS		16

#ifndef __bpf__
/* "private", "4K"; whatever else there is is "unknown". */
const char *alias_name(unsigned int alias);
const char *level_name(unsigned int level);
#endif

#endif
