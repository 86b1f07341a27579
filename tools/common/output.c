// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* For deflateInit2(): a gzip file with the largest window. */
#define GZIP_WINDOW	(15 + 16)
#define ZIP_LEVEL	6
#define ZIP_MEMORY	8
static int open_fd(struct output *output)
{
	if (!strcmp(output->name, "-"))
		return STDOUT_FILENO;
	output->fd = open(output->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	output->created = output->fd >= 0;
	if (output->fd < 0 && errno == EEXIST)
		output->fd = open(output->name, O_WRONLY | O_CLOEXEC);
	return output->fd;
}

static bool is_zipped(const char *name)
{
	size_t len = strlen(name);

	return len > 3 && !strcmp(name + len - 3, ".gz");
}

static int open_zip(struct output *output)
{
	output->zip = calloc(1, sizeof(*output->zip));
	if (!output->zip)
		return -ENOMEM;
	if (deflateInit2(output->zip, ZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, ZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK)
		return 0;
	free(output->zip);
	output->zip = NULL;
	return -ENOMEM;
}

int output_open(struct output *output, const char *name)
{
	*output = (struct output){ .name = name, .fd = -1 };
	output->fd = open_fd(output);
	if (output->fd >= 0)
		output->text = open_memstream(&output->held, &output->held_size);
	if (!output->text)
		return -errno;
	return is_zipped(name) ? open_zip(output) : 0;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t written = write(fd, data, size);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			data += written;
			size -= written;
		}
	}
	return 0;
}

/* Compresses what there is and writes it; @how is Z_SYNC_FLUSH, or Z_FINISH at the end. */
static int write_zipped(struct output *output, char *data, size_t size, int how)
{
	unsigned char zipped[1 << 14];
	int err = 0;

	output->zip->next_in = (unsigned char *)data;
	output->zip->avail_in = size;
	do {
		output->zip->next_out = zipped;
		output->zip->avail_out = sizeof(zipped);
		deflate(output->zip, how);
		size = sizeof(zipped) - output->zip->avail_out;
		err = write_all(output->fd, (char *)zipped, size);
		output->written += size;
	} while (!err && !output->zip->avail_out);
	return err;
}

/* The old contents go at the last moment. */
static int empty_file(const struct output *output)
{
	struct stat stat;

	if (output->written || output->fd == STDOUT_FILENO || fstat(output->fd, &stat) ||
	    !S_ISREG(stat.st_mode))
		return 0;
	return ftruncate(output->fd, 0) ? -errno : 0;
}

int output_flush(struct output *output)
{
	int err;

	if (fflush(output->text))
		return -errno;
	if (!output->held_size)
		return 0;
	err = empty_file(output);
	if (!err && output->zip) {
		err = write_zipped(output, output->held, output->held_size, Z_SYNC_FLUSH);
	} else if (!err) {
		err = write_all(output->fd, output->held, output->held_size);
		output->written += output->held_size;
	}
	if (fseek(output->text, 0, SEEK_SET) && !err)
		err = -errno;
	return err;
}

int output_close(struct output *output)
{
	int err = 0;

	if (output->text)
		fclose(output->text);
	free(output->held);
	if (output->zip) {
		if (output->written)
			err = write_zipped(output, NULL, 0, Z_FINISH);
		deflateEnd(output->zip);
		free(output->zip);
	}
	if (output->name && output->fd > STDERR_FILENO && close(output->fd) && !err)
		err = -errno;
	if (output->name && output->created && !output->written)
		unlink(output->name);
	*output = (struct output){};
	return err;
}

bool output_is_closed(const struct output *output)
{
	struct pollfd fd = { .fd = output->fd };

	return poll(&fd, 1, 0) == 1 && fd.revents & POLLERR;
}

bool output_is(const struct output *output, int fd)
{
	struct stat ours, theirs;

	return !fstat(output->fd, &ours) && !fstat(fd, &theirs) && S_ISREG(ours.st_mode) &&
	       ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}
