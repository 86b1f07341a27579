/* SPDX-License-Identifier: GPL-2.0 */
/* A file of metrics for node_exporter's textfile collector, which reads it whenever it likes. */
#ifndef MEMATTR_TEXTFILE_H
#define MEMATTR_TEXTFILE_H

#include "metrics.h"

/* The collector looks at no other files. */
#define TEXTFILE_ENDING ".prom"

/* Replaces the file as a whole, so that nobody ever reads half of it. Returns 0 or -errno. */
int textfile_write(const char *name, const struct metrics *metrics, const struct snapshot *s);

#endif
