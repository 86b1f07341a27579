/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts about hugepages share. They need kvm.gmem_huge_pages=always. */
#ifndef HUGE_H
#define HUGE_H

#include "inplace.h"

/* What statistics of the VM were when a test began to count. */
struct counts {
	uint64_t faults, hugepages, splits;
};

struct counts counts_now(void);
/* Whether there are @hugepages now, and have been @splits and @faults since @before. */
bool counts_are(const struct counts *before, uint64_t hugepages, uint64_t splits, uint64_t faults);

/* The guest reads @pages pages from @first on, and finds what it should. */
bool guest_reads(uint64_t first, uint64_t pages);
void guest_writes(uint64_t first, uint64_t pages);
/* A file of @pages pages, of which the guest has written all, and mapped all by hugepages. */
void create_huge_work(uint64_t pages);

/* The host's free memory that is in blocks of a hugepage's size or more, in pages. */
uint64_t free_in_blocks(void);
void compact_memory(void);

#endif
