/* SPDX-License-Identifier: GPL-2.0 */
/* Looks into a process for what can hold a page of its memory. */
#ifndef MEMATTR_WHY_HOLDERS_H
#define MEMATTR_WHY_HOLDERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NO_FD -1

struct holders {
	bool read;		/* its descriptors could be read */
	int io_uring_fd;	/* with a registered buffer that has the page; NO_FD: none */
	int device_fd;		/* of VFIO, IOMMUFD or vDPA, which pin memory; NO_FD: none */
	bool has_pipes;
};

/* @address is where the process has mapped the page. */
void holders_find(pid_t pid, uint64_t address, struct holders *holders);

#endif
