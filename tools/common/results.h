/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How the running kernel numbers the results of page faults. RET_PF_WRITE_PROTECTED came with 6.12,
 * in front of the three that matter most.
 */
#ifndef MEMATTR_RESULTS_H
#define MEMATTR_RESULTS_H

#include <bpf/btf.h>
#include <linux/types.h>

/*
 * Fills in RESULT_* for each RET_PF_* that KVM's types have, and RESULT_UNKNOWN for all other values
 * below KERNEL_RESULTS.
 */
void results_find(const struct btf *kvm, __u8 *results);

#endif
