// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hold.h"
#include "testvm.h"

static int ring = -1;

int try_hold(void *page)
{
	struct io_uring_params params = { 0 };
	const struct iovec buffer = { .iov_base = page, .iov_len = PAGE };

	if (ring < 0)
		ring = check(syscall(SYS_io_uring_setup, 1, &params), "io_uring_setup");
	return syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1) ?
	       errno : 0;
}

void hold(void *page)
{
	errno = try_hold(page);
	if (errno)
		failed("IORING_REGISTER_BUFFERS");
}

void release(void)
{
	check(syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0),
	      "IORING_UNREGISTER_BUFFERS");
}
