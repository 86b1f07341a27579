/* SPDX-License-Identifier: GPL-2.0 */
/* Names of the kernel's functions. */
#ifndef PREFAULT_TRACE_SYMBOLS_H
#define PREFAULT_TRACE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbols;

/* NULL: no memory. Without rights to /proc/kallsyms it knows no name. */
struct symbols *symbols_read(void);
void symbols_free(struct symbols *symbols);

/* The function that @address is in; as a number if it is not known. Valid until the next call. */
const char *symbols_name(const struct symbols *symbols, uint64_t address);

/* A frame of the tracing itself, which tells nothing of KVM. */
bool symbols_is_tracing(const char *name);

#endif
