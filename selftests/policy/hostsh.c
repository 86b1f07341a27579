// SPDX-License-Identifier: GPL-2.0
/*
 * A process of the host by hand: maps a guest_memfd of another process, and does to it what
 * standard input says, a command a line, with one line of answer each.
 *
 *	hostsh PID FD PAGES	maps so many pages of this descriptor of that process; 0: none
 *	touch PAGE		reads it: "ok" or "SIGBUS"
 *	touches COUNT THREADS	each thread touches a page of its own, COUNT times in all, and
 *				unmaps it after each: "ok", "SIGBUS", or "mixed"
 *	remote PID ADDRESS	reads it from that process
 *	hold PAGE		registers it as a buffer with io_uring
 *	release			ends that
 *	splice PAGE		puts it into a pipe
 *	drain			empties the pipe
 *	convert PAGE PAGES	makes them private
 *
 * Where nothing is said, the answer is "ok" or an errno's name. At first it says "host PID", its
 * process. It ends with its input.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hold.h"
#include "testvm.h"
#include "touch.h"

#define MAX_THREADS 16

static int gmem_fd;
static uint8_t *memory;
static uint64_t pages;
static int pipe_fds[2];

struct toucher {
	pthread_t thread;
	uint8_t *page;
	uint64_t count, refused;
};

static void *touch_on(void *arg)
{
	struct toucher *toucher = arg;
	uint32_t word;

	for (uint64_t i = 0; i < toucher->count; i++) {
		toucher->refused += try_load(toucher->page, &word) != 0;
		/* The next one faults again. */
		check(madvise(toucher->page, PAGE, MADV_DONTNEED), "madvise");
	}
	return NULL;
}

static const char *touch_all(uint64_t count, unsigned int threads)
{
	struct toucher touchers[MAX_THREADS] = {};
	uint64_t refused = 0;

	for (unsigned int i = 0; i < threads; i++) {
		touchers[i].page = memory + i * PAGE;
		touchers[i].count = count / threads;
		touchers[i].thread = start_thread(touch_on, &touchers[i]);
	}
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(touchers[i].thread, NULL);
		refused += touchers[i].refused;
	}
	if (!refused)
		return "ok";
	return refused == count / threads * threads ? "SIGBUS" : "mixed";
}

static const char *outcome(bool right)
{
	return right ? "ok" : strerrorname_np(errno);
}

static const char *read_remotely(int pid, uint64_t address)
{
	uint32_t word;
	const struct iovec to = { &word, sizeof(word) };
	const struct iovec from = { (void *)(uintptr_t)address, sizeof(word) };

	return outcome(process_vm_readv(pid, &to, 1, &from, 1, 0) == sizeof(word));
}

static const char *splice_page(void *page)
{
	const struct iovec piece = { .iov_base = page, .iov_len = PAGE };

	return outcome(!pipe2(pipe_fds, O_CLOEXEC) &&
		       vmsplice(pipe_fds[1], &piece, 1, 0) == (ssize_t)PAGE);
}

static const char *drain(void)
{
	char bytes[PAGE];
	bool right = read(pipe_fds[0], bytes, sizeof(bytes)) == sizeof(bytes);

	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return outcome(right);
}

static const char *convert(uint64_t page, uint64_t count)
{
	return outcome(!(errno = try_convert(gmem_fd, page * PAGE, count * PAGE, PRIVATE, NULL)));
}

static const char *command(const char *line)
{
	unsigned long long page, address, count;
	unsigned int threads;
	uint32_t word;
	int pid;

	if (sscanf(line, "remote %d %lli", &pid, &address) == 2)
		return read_remotely(pid, address);
	if (sscanf(line, "touches %lli %u", &page, &threads) == 2 && threads &&
	    threads <= MAX_THREADS && threads <= pages)
		return touch_all(page, threads);
	if (sscanf(line, "touch %lli", &page) == 1 && page < pages)
		return try_load(memory + page * PAGE, &word) ? "SIGBUS" : "ok";
	if (sscanf(line, "hold %lli", &page) == 1 && page < pages)
		return outcome(!(errno = try_hold(memory + page * PAGE)));
	if (sscanf(line, "splice %lli", &page) == 1 && page < pages)
		return splice_page(memory + page * PAGE);
	if (sscanf(line, "convert %lli %lli", &page, &count) == 2)
		return convert(page, count);
	if (!strcmp(line, "drain\n"))
		return drain();
	if (strcmp(line, "release\n"))
		return "ENOSYS";
	release();
	return "ok";
}

int main(int argc, char **argv)
{
	char line[200];

	if (argc != 4) {
		fprintf(stderr, "usage: hostsh PID FD PAGES\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	catch_bus_errors();
	gmem_fd = check(syscall(SYS_pidfd_getfd,
				check(syscall(SYS_pidfd_open, atoi(argv[1]), 0), "pidfd_open"),
				atoi(argv[2]), 0),
			"pidfd_getfd");
	pages = strtoull(argv[3], NULL, 0);
	if (pages)
		memory = map_file(gmem_fd, pages * PAGE, MAP_SHARED);

	printf("host %d\n", getpid());
	while (fgets(line, sizeof(line), stdin))
		printf("%s\n", command(line));
	return 0;
}
