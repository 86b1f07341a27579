// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The collector would read a new file under this name, too, if it ended in ".prom". */
#define NEW_ENDING ".new"

/* node_exporter runs as a user of its own. */
#define TEXTFILE_MODE 0644

static int write_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t written = write(fd, text, size);

		if (written < 0)
			return -errno;
		text += written;
		size -= written;
	}
	return 0;
}

/* A file by that name was left by somebody who was killed, or is a trap. */
static int write_new(const char *name, const char *text, size_t size)
{
	int fd, err;

	unlink(name);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, TEXTFILE_MODE);
	if (fd < 0)
		return -errno;
	err = fchmod(fd, TEXTFILE_MODE) ? -errno : write_all(fd, text, size);
	if (close(fd) && !err)
		err = -errno;
	return err;
}

static int replace(const char *name, const char *text, size_t size)
{
	char *new;
	int err;

	if (asprintf(&new, "%s" NEW_ENDING, name) < 0)
		return -ENOMEM;
	err = write_new(new, text, size);
	if (!err && rename(new, name))
		err = -errno;
	if (err)
		unlink(new);
	free(new);
	return err;
}

int textfile_write(const char *name, const struct metrics *metrics, const struct snapshot *s)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int err;

	if (!out)
		return -ENOMEM;
	err = metrics_write(out, &metrics_text, metrics, s);
	if ((ferror(out) | fclose(out)) && !err)
		err = -ENOMEM;
	if (!err)
		err = replace(name, text, size);
	free(text);
	return err;
}
