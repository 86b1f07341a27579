/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the measurements of bystanders share; bystanders.c says which these are. */
#ifndef BYSTANDERS_H
#define BYSTANDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "page_guest.h"

#define MIB_PAGES	256u
#define OTHER_GPA	(AREA_GPA / 2)	/* of the bystanders' memslot, one page */
#define SETTLE_US	200000u		/* RCU and workers finish what is pending meanwhile */

/* Sleeps for a period. Returns when the task should have gone on. */
uint64_t wait_for_turn(void);
/* Tells whether the thread runs as soon as it can, if the kernel can be interrupted where it is. */
void run_first(bool first);

/* KVM_SET_MEMORY_ATTRIBUTES for pages of the area; it must succeed. */
void convert(uint64_t first, uint64_t pages, bool private);
/* KVM_PRE_FAULT_MEMORY for pages of the area; it must succeed. */
void pre_fault(uint64_t first, uint64_t pages);

/* Creates a VM with one vCPU and so much memory in the area, all of it private, in gmem_fd. */
void create_private_vm(uint64_t pages);
void destroy_private_vm(void);
extern int gmem_fd;
/* The policy of this file governs the VM for as long as the VM lives. NULL stands for no policy. */
void govern(const char *policy);

/* The parts, which bystanders.c calls. */
void measure_notifiers(uint64_t mib);
void measure_kicks(uint64_t mib, const char *policy);
void measure_gmem(uint64_t mib, const char *policy);

#endif
