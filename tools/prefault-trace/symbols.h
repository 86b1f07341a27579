/* SPDX-License-Identifier: GPL-2.0 */
/* Names of the kernel's functions. */
#ifndef PREFAULT_TRACE_SYMBOLS_H
#define PREFAULT_TRACE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbols;

/*
 * Reads the symbols, if *@symbols is NULL, and reads those of modules again if a module has come or
 * gone. Returns 0 or -ENOMEM. Without the right to read /proc/kallsyms no names are known.
 */
int symbols_read(struct symbols **symbols);

/* The same from these files, which are in the format of /proc/kallsyms and /proc/modules. */
int symbols_read_from(struct symbols **symbols, const char *kallsyms, const char *modules);
void symbols_free(struct symbols *symbols);

/*
 * Returns the function that @address is in, or the address as text if no function is there, or if
 * different modules have been there since the first reading. Valid until the next call.
 */
const char *symbols_name(const struct symbols *symbols, uint64_t address);

/* Returns whether the frame belongs to the tracing itself, not to KVM. */
bool symbols_is_tracing(const char *name);

#endif
