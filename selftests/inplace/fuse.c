// SPDX-License-Identifier: GPL-2.0
/*
 * A filesystem of one file, which is its root. What is read from the file or written to it goes directly
 * to the caller's pages, which are held until the filesystem answers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "inplace.h"

#define MOUNTED_FILE	"/tmp/inplace-fuse"
#define FUSE_FILE_SIZE	(1u << 20)
#define REQUEST_SIZE	(FUSE_FILE_SIZE + FUSE_MIN_READ_BUFFER)

static int device_fd;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool must_wait, is_waiting;

void fuse_hold(void)
{
	pthread_mutex_lock(&lock);
	must_wait = true;
	pthread_mutex_unlock(&lock);
}

void fuse_wait_held(void)
{
	pthread_mutex_lock(&lock);
	while (!is_waiting)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

void fuse_release(void)
{
	pthread_mutex_lock(&lock);
	must_wait = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void wait_until_released(void)
{
	pthread_mutex_lock(&lock);
	is_waiting = must_wait;
	pthread_cond_broadcast(&changed);
	while (must_wait)
		pthread_cond_wait(&changed, &lock);
	is_waiting = false;
	pthread_mutex_unlock(&lock);
}

static void answer(const struct fuse_in_header *in, int err, const void *data, size_t size)
{
	struct fuse_out_header out = { .len = sizeof(out) + size, .error = -err,
				      .unique = in->unique };
	const struct iovec parts[] = { { &out, sizeof(out) }, { (void *)data, size } };

	/* ENOENT: the request was interrupted. */
	if (writev(device_fd, parts, 2) < 0 && errno != ENOENT)
		failed("answering a FUSE request");
}

static void answer_attr(const struct fuse_in_header *in)
{
	const struct fuse_attr_out attr = {
		.attr = { .ino = FUSE_ROOT_ID, .size = FUSE_FILE_SIZE, .mode = S_IFREG | 0644,
			 .nlink = 1,
			  .blksize = PAGE },
	};

	answer(in, 0, &attr, sizeof(attr));
}

static void answer_io(const struct fuse_in_header *in)
{
	static uint8_t bytes[FUSE_FILE_SIZE];
	const struct fuse_read_in *read_in = (const void *)(in + 1);
	const struct fuse_write_in *write_in = (const void *)(in + 1);

	wait_until_released();
	if (in->opcode == FUSE_READ) {
		memset(bytes, FUSE_BYTE, read_in->size);
		answer(in, 0, bytes, read_in->size);
	} else {
		const struct fuse_write_out out = { .size = write_in->size };

		answer(in, 0, &out, sizeof(out));
	}
}

static void serve(const struct fuse_in_header *in)
{
	const struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = FUSE_FILE_SIZE,
		.max_readahead = PAGE,
	};
	const struct fuse_open_out opened = { .open_flags = FOPEN_DIRECT_IO };

	switch (in->opcode) {
	case FUSE_INIT:
		answer(in, 0, &init, sizeof(init));
		break;
	case FUSE_OPEN:
		answer(in, 0, &opened, sizeof(opened));
		break;
	case FUSE_GETATTR:
		answer_attr(in);
		break;
	case FUSE_READ:
	case FUSE_WRITE:
		answer_io(in);
		break;
	case FUSE_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		answer(in, ENOSYS, NULL, 0);
	}
}

static void *serve_all(void *unused)
{
	static uint8_t buffer[REQUEST_SIZE] __attribute__((aligned(8)));

	(void)unused;
	while (read(device_fd, buffer, sizeof(buffer)) > 0)
		serve((const void *)buffer);
	return NULL;
}

int fuse_open(void)
{
	char options[128];
	int fd;

	device_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (device_fd < 0)
		return -1;
	close(check(open(MOUNTED_FILE, O_CREAT | O_WRONLY, 0644), MOUNTED_FILE));
	snprintf(options, sizeof(options), "fd=%d,rootmode=100644,user_id=0,group_id=0", device_fd);
	check(mount("inplace", MOUNTED_FILE, "fuse", 0, options), "mount of a FUSE filesystem");
	pthread_detach(start_thread(serve_all, NULL));
	fd = check(open(MOUNTED_FILE, O_RDWR | O_DIRECT | O_CLOEXEC), MOUNTED_FILE);
	/* It lasts as long as the file is open. */
	check(umount2(MOUNTED_FILE, MNT_DETACH), "umount of a FUSE filesystem");
	return fd;
}
