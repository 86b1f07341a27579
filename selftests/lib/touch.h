/* SPDX-License-Identifier: GPL-2.0 */
/* Accesses to memory that may end in SIGBUS, in any thread. */
#ifndef TOUCH_H
#define TOUCH_H

#include <signal.h>
#include <stdint.h>

/* Call it once, before the first access. Any other SIGBUS still ends the program. */
void catch_bus_errors(void);
/* Return 0, or the si_code of the SIGBUS: BUS_ADRERR, or BUS_MCEERR_AR for poisoned memory. */
int try_load(const volatile void *address, uint32_t *word);
int try_store(volatile void *address, uint32_t word);
/* Copies @count words of 64 bits, or those before the one that fails. */
int try_copy(uint64_t *longs, const volatile void *address, unsigned int count);

#endif
