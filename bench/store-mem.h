/* SPDX-License-Identifier: GPL-2.0 */
#ifndef STORE_MEM_H
#define STORE_MEM_H

struct store_mem {
	unsigned long allocations;	/* objects, so far */
	long live_bytes;		/* of objects not freed */
};

extern struct store_mem store_mem;

#endif
