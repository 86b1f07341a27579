// SPDX-License-Identifier: GPL-2.0
#include "pf_results.h"

#include <limits.h>

#include "kvm_btf.h"
#include "results.h"
#include "stage2.h"

/* Neither a result nor an errno: what this kernel does not have is never found. */
#define NO_RESULT INT_MIN

int pf_results_read(struct pf_results *found)
{
	__u8 results[KERNEL_RESULTS];
	struct kvm_btf kvm;
	int err = kvm_btf_load(&kvm);

	if (err)
		return err;
	results_find(kvm.btf, results);
	kvm_btf_free(&kvm);
	*found = (struct pf_results){ NO_RESULT, NO_RESULT };
	for (int i = 0; i < KERNEL_RESULTS; i++) {
		if (results[i] == RESULT_FIXED)
			found->fixed = i;
		if (results[i] == RESULT_SPURIOUS)
			found->spurious = i;
	}
	return 0;
}
