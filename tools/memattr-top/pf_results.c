// SPDX-License-Identifier: GPL-2.0
#include "pf_results.h"

#include <limits.h>

#include "kvm_btf.h"
#include "results.h"
#include "stage2.h"

/* Neither a result nor an errno: what this kernel does not have is never found. */
#define NO_RESULT INT_MIN

int pf_results_read(int *fixed, int *spurious)
{
	__u8 known[KERNEL_RESULTS];
	struct kvm_btf kvm;
	int err = kvm_btf_load(&kvm);

	if (err)
		return err;
	results_find(kvm.btf, known);
	kvm_btf_free(&kvm);
	*fixed = *spurious = NO_RESULT;
	for (int i = 0; i < KERNEL_RESULTS; i++) {
		if (known[i] == RESULT_FIXED)
			*fixed = i;
		if (known[i] == RESULT_SPURIOUS)
			*spurious = i;
	}
	return 0;
}
