// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "files.h"

#include <stdio.h>
#include <string.h>
#include <sys/types.h>

static const char *fake_bytes;
static size_t fake_len;

void fake_files(const char *bytes, size_t len)
{
	fake_bytes = bytes;
	fake_len = len;
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
ssize_t __real_readlinkat(int dir, const char *path, char *target, size_t size);
ssize_t __wrap_readlinkat(int dir, const char *path, char *target, size_t size);

FILE *__wrap_fopen(const char *path, const char *mode)
{
	if (!fake_bytes || mode[0] != 'r')
		return __real_fopen(path, mode);
	return fmemopen((void *)fake_bytes, fake_len, "r");
}

/* Every descriptor is a ring of io_uring: those have fdinfo that is read. */
ssize_t __wrap_readlinkat(int dir, const char *path, char *target, size_t size)
{
	static const char ring[] = "anon_inode:[io_uring]";
	size_t len = sizeof(ring) - 1;

	if (!fake_bytes)
		return __real_readlinkat(dir, path, target, size);
	if (len > size)
		len = size;
	memcpy(target, ring, len);
	return len;
}
