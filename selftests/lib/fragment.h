/* SPDX-License-Identifier: GPL-2.0 */
/* Makes a host that has memory, but no hugepages. The VM should be small: almost all of its memory is allocated once. */
#ifndef FRAGMENT_H
#define FRAGMENT_H

#include <stdint.h>

struct fragments {
	uint8_t *memory;
	uint64_t bytes;
	uint8_t *rest;
};

uint64_t available_bytes(void);
/* Allocates almost all memory, and frees all pages but some of each 2 MiB. Hugepages that are left are used. */
struct fragments fragment_memory(void);
void free_fragments(struct fragments *fragments);

#endif
