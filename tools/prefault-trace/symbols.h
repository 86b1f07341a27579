/* SPDX-License-Identifier: GPL-2.0 */
/* Names of the kernel's functions. */
#ifndef PREFAULT_TRACE_SYMBOLS_H
#define PREFAULT_TRACE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbols;

/* Returns NULL if out of memory. Without the right to read /proc/kallsyms it knows no names. */
struct symbols *symbols_read(void);
void symbols_free(struct symbols *symbols);

/* Returns the function that @address is in, or the address as text. Valid until the next call. */
const char *symbols_name(const struct symbols *symbols, uint64_t address);

/* Returns whether the frame belongs to the tracing itself, not to KVM. */
bool symbols_is_tracing(const char *name);

#endif
