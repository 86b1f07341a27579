/* SPDX-License-Identifier: GPL-2.0 */
/* Where the running kernel keeps the reason of an exit. */
#ifndef MEMATTR_TOP_REASONS_H
#define MEMATTR_TOP_REASONS_H

#include <linux/types.h>

#include "provenance.h"

/* Offsets in bytes; 0: not known. */
struct reasons_at {
	__u32 svm_vmcb, vmcb_exit_code;
	__u32 vmx_exit_reason;
};

/* Returns whether the reasons of any processor can be read, and describes where, or why not. */
bool reasons_find(struct reasons_at *at, struct snapshot_hook *hook);

#endif
