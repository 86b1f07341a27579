/* SPDX-License-Identifier: GPL-2.0 */
/* The records of a tool with columns. */
#ifndef RECORDS_H
#define RECORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "args.h"
#include "mutate.h"
#include "tool.h"

/* To be called once, before the first input. */
void prepare_records(void);
/* The record of which the tool's screens are kept: it has all of the tool's lists. */
struct sample read_record(const char *tool);

/*
 * Reads the input as a record of the tool, shows it in all views and formats, exports it, and writes it again. What has
 * been read once can be read again: returns false if not. @args has what the tool's own options are, and is changed.
 */
bool parse_record_of(const struct tool *tool, struct args *args, const char *input, size_t len);

#endif
