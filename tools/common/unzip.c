// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "unzip.h"

#include <stdlib.h>
#include <zlib.h>

/* For inflateInit2(): gzip only. */
#define GZIP_WINDOW	(15 + 16)
#define GZIP_MAGIC	0x1f	/* no text begins with it */

struct unzip {
	FILE *file;
	z_stream stream;
	unsigned char from[1 << 14];
};

static ssize_t read_unzipped(void *cookie, char *to, size_t size)
{
	struct unzip *unzip = cookie;
	z_stream *stream = &unzip->stream;
	int ret = Z_OK;

	stream->next_out = (unsigned char *)to;
	stream->avail_out = size;
	while (ret == Z_OK && stream->avail_out == size) {
		if (!stream->avail_in) {
			stream->next_in = unzip->from;
			stream->avail_in = fread(unzip->from, 1, sizeof(unzip->from), unzip->file);
		}
		ret = stream->avail_in ? inflate(stream, Z_NO_FLUSH) : Z_BUF_ERROR;
	}
	return size - stream->avail_out;
}

static int close_unzipped(void *cookie)
{
	struct unzip *unzip = cookie;

	inflateEnd(&unzip->stream);
	fclose(unzip->file);
	free(unzip);
	return 0;
}

FILE *unzip(FILE *file)
{
	static const cookie_io_functions_t functions = { .read = read_unzipped, .close = close_unzipped };
	struct unzip *unzip;
	FILE *text = NULL;
	int first = getc(file);

	ungetc(first, file);
	if (first != GZIP_MAGIC)
		return file;
	unzip = calloc(1, sizeof(*unzip));
	if (unzip && inflateInit2(&unzip->stream, GZIP_WINDOW) != Z_OK) {
		free(unzip);
		unzip = NULL;
	}
	if (unzip) {
		unzip->file = file;
		text = fopencookie(unzip, "r", functions);
		if (!text)
			close_unzipped(unzip);
	} else {
		fclose(file);
	}
	return text;
}
