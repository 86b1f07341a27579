/* SPDX-License-Identifier: GPL-2.0 */
/* The parsers of prefault-trace. */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stddef.h>

/* The lists of its records have every type of field. */
bool parse_record(const char *input, size_t len);
/* KVM's account of pages that were mapped ahead. */
bool parse_use(const char *input, size_t len);

#endif
