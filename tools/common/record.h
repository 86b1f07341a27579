/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Snapshots in a file of lines of text. The header says which tool and hooks the figures come from, and names the
 * key of each value in the lines below; a reader skips keys and lines that it does not know. Each interval has what
 * is new: an item that is not there is as before, until its VM is gone.
 */
#ifndef MEMATTR_RECORD_H
#define MEMATTR_RECORD_H

#include <stdio.h>

#include "tool.h"

void record_write_header(FILE *out, const struct tool *tool, const struct snapshot *first);
/* @before is the snapshot that was written before, or NULL. */
void record_write(FILE *out, const struct snapshot *before, const struct snapshot *now);
/* Writes the lists that are wanted once only, at the end. */
void record_write_last(FILE *out, const struct snapshot *last);

struct record_reader;

/* Opens a file, or stdin if it is called "-". Returns NULL on failure, and @why says why. */
struct record_reader *record_open(const struct tool *tool, const char *name, struct diag *why);
void record_close(struct record_reader *reader);
int record_fd(const struct record_reader *reader);

/* Returns the next snapshot; NULL at the end, or on failure, and then @why says why. */
struct snapshot *record_read(struct record_reader *reader, struct diag *why);
/* Skips to the end, and returns what record_write_last() wrote, or NULL. */
struct snapshot *record_read_last(struct record_reader *reader, struct diag *why);

#endif
