/* SPDX-License-Identifier: GPL-2.0 */
/* Snapshots in a file, as lines of text, so that other programs can read them, too. */
#ifndef PREFAULT_TRACE_RECORD_H
#define PREFAULT_TRACE_RECORD_H

#include <stdio.h>

#include "snapshot.h"

/* Both return 0 or -errno. The header comes once, before the first snapshot. */
int record_write_header(FILE *file);
int record_write(FILE *file, const struct snapshot *s);

/* Returns 0, or -EINVAL if the file is not a record, or a record of another version. */
int record_read_header(FILE *file);

/*
 * Reads the next snapshot, or sets *@s to NULL at the end of the file. Returns 0, -ENOMEM, or -EINVAL if the
 * file is cut off or damaged.
 */
int record_read(FILE *file, struct snapshot **s);

#endif
