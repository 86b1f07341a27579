/* SPDX-License-Identifier: GPL-2.0 */
/* How the running kernel numbers the results of page faults. */
#ifndef MEMATTR_TOP_PF_RESULTS_H
#define MEMATTR_TOP_PF_RESULTS_H

struct btf;

struct pf_results {
	int fixed, spurious;	/* the faults that end with the page mapped */
};

/* Finds the numbers in KVM's types. Returns 0 or -ENOENT. */
int pf_results_find(const struct btf *kvm, struct pf_results *results);
/* The same with the types of the running kernel. Returns 0 or -errno. */
int pf_results_read(struct pf_results *results);

#endif
