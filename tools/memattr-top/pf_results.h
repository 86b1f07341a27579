/* SPDX-License-Identifier: GPL-2.0 */
/* How the running kernel numbers the results of faults that end with the page mapped. */
#ifndef MEMATTR_TOP_PF_RESULTS_H
#define MEMATTR_TOP_PF_RESULTS_H

/* Returns 0, or -errno if the kernel's types cannot be read. */
int pf_results_read(int *fixed, int *spurious);

#endif
