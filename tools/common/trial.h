/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small VM of our own, for a moment, that makes KVM do what hooks should notice. Each function
 * returns 0, or -errno if KVM did not do it.
 */
#ifndef MEMATTR_TRIAL_H
#define MEMATTR_TRIAL_H

/* The guest touches memory that is not mapped yet. */
int trial_fault(void);

/* KVM_PRE_FAULT_MEMORY maps a page. */
int trial_prefault(void);

#endif
