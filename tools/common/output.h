/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file that a tool writes, or stdout for "-". What is printed to @text is held until output_flush(), so the
 * file keeps its old contents until there is something to write, and each error has its own errno. A file whose
 * name ends in ".gz" is compressed; what was flushed can be read even if nobody closes it.
 */
#ifndef MEMATTR_OUTPUT_H
#define MEMATTR_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct output {
	const char *name;
	int fd;
	FILE *text;
	char *held;
	size_t held_size;
	uint64_t written;
	struct z_stream_s *zip;	/* NULL: not compressed */
	bool created;		/* by us: without contents it is removed again */
};

/* These three return 0 or -errno. */
int output_open(struct output *output, const char *name);
int output_flush(struct output *output);
/* Also frees an output that was not opened. What is still held is not written, only the end of a compressed file. */
int output_close(struct output *output);

/* Returns whether it is a pipe that nobody reads any more, which else only a write would tell. */
bool output_is_closed(const struct output *output);

/* Returns whether both are one regular file. */
bool output_is(const struct output *output, int fd);

#endif
