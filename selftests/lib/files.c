// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"

int try_write_file(const char *path, const char *text)
{
	const ssize_t length = strlen(text);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	int error;

	if (fd < 0)
		return errno;
	error = write(fd, text, length) == length ? 0 : errno;
	close(fd);
	return error;
}

void write_file(const char *path, const char *text)
{
	errno = try_write_file(path, text);
	if (errno)
		err(1, "%s", path);
}

void read_file(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");

	if (!file)
		err(1, "%s", path);
	text[fread(text, 1, size - 1, file)] = '\0';
	fclose(file);
}

uint64_t sum_of_lines(const char *path, const char *name)
{
	static char text[1 << 16];
	uint64_t sum = 0;
	char *line, *lines;

	read_file(path, text, sizeof(text));
	for (line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
		if (!strncmp(line, name, strlen(name)))
			sum += strtoull(line + strcspn(line, " "), NULL, 10);
	}
	return sum;
}
