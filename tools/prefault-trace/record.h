/* SPDX-License-Identifier: GPL-2.0 */
/* Snapshots in a file: a line of text for each thing in them, so that other programs can read it as well. */
#ifndef PREFAULT_TRACE_RECORD_H
#define PREFAULT_TRACE_RECORD_H

#include <stdio.h>

#include "snapshot.h"

/* Both 0 or -errno. The header comes once, before the first snapshot. */
int record_write_header(FILE *file);
int record_write(FILE *file, const struct snapshot *s);

/* 0 or -EINVAL: the file is no record, or one of another version. */
int record_read_header(FILE *file);

/* The next snapshot; NULL in it: the file has ended. 0, -ENOMEM, or -EINVAL: cut off or damaged. */
int record_read(FILE *file, struct snapshot **s);

#endif
