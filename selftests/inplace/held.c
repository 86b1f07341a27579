// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that somebody holds: -EAGAIN with the page's offset, and nothing has changed; when the page is
 * released the same conversion succeeds. A mapping of another process is not such a hold.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inplace.h"
#include "tap.h"

#define PAGES		8u
#define HELD		5u

/* How a page is held, and released. take() returns false if this kernel cannot hold one so. */
struct holder {
	const char *name;
	bool (*take)(void *page);
	void (*let_go)(void);
	/* Whoever held the page wrote FUSE_BYTE to it. */
	bool writes;
};

static bool others_become_private(void)
{
	bool right = true;

	for (uint64_t page = 0; page < PAGES; page++) {
		if (page == HELD)
			right &= is_held(page, 1, HELD);
		else
			right &= returns(0, try_convert_pages(page, 1, true));
	}
	return right && is_held(0, PAGES, HELD) && are_private(0, HELD) &&
	       are_private(HELD + 1, PAGES - HELD - 1);
}

static void test_refusals(const struct holder *holder)
{
	ok(is_held(0, PAGES, HELD) && is_held(HELD, PAGES - HELD, HELD) &&
	   is_held(HELD - 1, 2, HELD),
	   "%s: EAGAIN, and the page's offset, wherever the range begins", holder->name);
	ok(are_shared(0, PAGES), "%s: all pages are shared, as they were", holder->name);
	ok(returns(0, try_convert_pages(0, HELD, true)) && are_private(0, HELD) &&
	   returns(0, try_convert_pages(0, HELD, false)) && are_shared(0, HELD),
	   "%s: the pages before it are converted", holder->name);
	ok(others_become_private(), "%s: so is each of the others", holder->name);
	ok(returns(0, try_convert_pages(0, PAGES, false)) && are_shared(0, PAGES),
	   "%s: that a page is held does not matter if all become shared", holder->name);
}

static void test_holder(const struct holder *holder)
{
	create_work(PAGES, INIT_SHARED_FLAGS);
	ok(are_shared(0, PAGES), "%s: the pages have memory", holder->name);
	if (!holder->take(work_page(HELD))) {
		skip(holder->name, "the kernel has no such way to hold a page");
		destroy_work();
		return;
	}
	test_refusals(holder);
	holder->let_go();
	if (holder->writes)
		memset(&work.words[HELD], FUSE_BYTE, sizeof(work.words[HELD]));
	ok(returns(0, try_convert_pages(0, PAGES, true)) && are_private(0, PAGES),
	   "%s: released, all become private", holder->name);
	ok(returns(0, try_convert_pages(0, PAGES, false)) && are_shared(0, PAGES),
	   "%s: and shared again", holder->name);
	destroy_work();
}

/* --- a buffer of io_uring ------------------------------------------------ */

static bool take_buffer(void *page)
{
	hold(page);
	return true;
}

/* --- a page in a pipe ---------------------------------------------------- */

static int pipe_fds[2];

static bool take_into_pipe(void *page)
{
	const struct iovec piece = { .iov_base = page, .iov_len = PAGE };

	check(pipe2(pipe_fds, O_CLOEXEC), "pipe2");
	check(vmsplice(pipe_fds[1], &piece, 1, 0), "vmsplice");
	return true;
}

static void read_from_pipe(void)
{
	char bytes[PAGE];

	check(read(pipe_fds[0], bytes, sizeof(bytes)), "read");
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* --- direct I/O ---------------------------------------------------------- */

static int direct_fd = -1;
static pthread_t direct_reader;

static void *read_directly(void *page)
{
	if (pread(direct_fd, page, PAGE, 0) != (ssize_t)PAGE)
		failed("pread of a FUSE file");
	return NULL;
}

static bool take_for_read(void *page)
{
	direct_fd = fuse_open();
	if (direct_fd < 0)
		return false;
	fuse_hold();
	direct_reader = start_thread(read_directly, page);
	fuse_wait_held();
	return true;
}

static void finish_read(void)
{
	fuse_release();
	pthread_join(direct_reader, NULL);
	close(direct_fd);
}

/* --- process_vm_readv ---------------------------------------------------- */

/* The page is read to where a page fault waits for this process to resolve it. */
static int fault_fd;
static uint8_t *fault_page;
static pthread_t remote_reader;
static ssize_t remote_bytes;

static void catch_faults(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	fault_page = map_memory(0, PAGE);
	area.range.start = (uintptr_t)fault_page;
	area.range.len = PAGE;
	fault_fd = check(syscall(SYS_userfaultfd, O_CLOEXEC), "userfaultfd");
	check(ioctl(fault_fd, UFFDIO_API, &api), "UFFDIO_API");
	check(ioctl(fault_fd, UFFDIO_REGISTER, &area), "UFFDIO_REGISTER");
}

static void *read_remotely(void *page)
{
	const struct iovec to = { .iov_base = fault_page, .iov_len = PAGE },
		from = { .iov_base = page, .iov_len = PAGE };

	remote_bytes = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	return NULL;
}

static bool take_for_process(void *page)
{
	struct uffd_msg fault;

	if (process_vm_readv(getpid(), NULL, 0, NULL, 0, 0) && errno == ENOSYS)
		return false;
	catch_faults();
	remote_reader = start_thread(read_remotely, page);
	check(read(fault_fd, &fault, sizeof(fault)), "reading a fault");
	return true;
}

static void finish_process(void)
{
	struct uffdio_zeropage zero = { .range = { .start = (uintptr_t)fault_page, .len = PAGE } };

	check(ioctl(fault_fd, UFFDIO_ZEROPAGE, &zero), "UFFDIO_ZEROPAGE");
	pthread_join(remote_reader, NULL);
	if (remote_bytes != (ssize_t)PAGE)
		failed("process_vm_readv");
	close(fault_fd);
}

/* --- mappings ------------------------------------------------------------ */

#define CHILD_GOT_SIGBUS	77

/* Touches the page all the time until it cannot. */
static int touch_until_refused(void *page)
{
	uint32_t word;

	raise(SIGSTOP);
	while (!try_load(page, &word))
		;
	return CHILD_GOT_SIGBUS;
}

static void test_other_mappings(void)
{
	uint8_t *other;
	int pid, status;

	create_work(PAGES, INIT_SHARED_FLAGS);
	other = map_file(work.fd, PAGES * PAGE, MAP_SHARED);
	ok(are_shared(0, PAGES) && !memcmp(other, work.memory, PAGES * PAGE),
	   "two mappings of a process");
	pid = check(fork(), "fork");
	if (!pid)
		_exit(touch_until_refused(work_page(HELD)));
	check(waitpid(pid, &status, WUNTRACED), "waitpid");
	kill(pid, SIGCONT);
	/* The other process may be in a fault of its own. */
	do
		status = try_convert_pages(0, PAGES, true);
	while (status == EAGAIN);
	ok(returns(0, status) && wait_for_child(pid) == CHILD_GOT_SIGBUS,
	   "and one of another that is in use do not hold a page: it gets SIGBUS");
	ok(are_private(0, PAGES) && try_load(other + HELD * PAGE, &work.words[0]) == BUS_ADRERR,
	   "in all mappings the pages are gone");
	munmap(other, PAGES * PAGE);
	destroy_work();
}

/* More than one page is held: the first is named. */
static void test_first(void)
{
	uint64_t refusals;

	create_work(PAGES, INIT_SHARED_FLAGS);
	ok(are_shared(0, PAGES), "two pages are held");
	take_into_pipe(work_page(HELD - 2));
	hold(work_page(HELD));
	refusals = vm_stat("memattr_held");
	ok(is_held(0, PAGES, HELD - 2) && is_held(HELD - 1, PAGES - HELD + 1, HELD),
	   "EAGAIN with the offset of the first");
	ok(vm_stat("memattr_held") == refusals + 2, "KVM counts what it has refused");
	read_from_pipe();
	ok(is_held(0, PAGES, HELD), "that one is released: with the offset of the other");
	release();
	ok(returns(0, try_convert_pages(0, PAGES, true)) && are_private(0, PAGES),
	   "both: all become private");
	destroy_work();
}

/* Pages that are private already lie between those that become so: what follows is looked at, too. */
static void test_second_run(void)
{
	create_work(PAGES, INIT_SHARED_FLAGS);
	convert_pages(1, HELD - 1, true);
	hold(work_page(HELD));
	ok(is_held(0, PAGES, HELD) && are_shared(0, 1) && are_shared(HELD, PAGES - HELD),
	   "private pages lie between: EAGAIN with the offset of what is held after them");
	release();
	destroy_work();
}

/* --- caches of CPUs ------------------------------------------------------ */

static void move_to_cpu(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	check(sched_setaffinity(0, sizeof(cpus), &cpus), "sched_setaffinity");
}

/*
 * The CPU that adds a page to the file keeps it in a cache for a while, with a reference. No mapping is
 * there, as the kernel empties the cache of a CPU that unmaps pages.
 */
static void test_new_pages(void)
{
	const int cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t all;
	bool right = true;

	check(sched_getaffinity(0, sizeof(all), &all), "sched_getaffinity");
	create_work(PAGES, INIT_SHARED_FLAGS);
	munmap(work.memory, PAGES * PAGE);
	for (int cpu = 0; cpu < cpus; cpu++) {
		move_to_cpu(cpu);
		check(fallocate(work.fd, FALLOC_FL_KEEP_SIZE, 0, PAGE), "fallocate");
		move_to_cpu(0);
		right &= returns(0, try_convert_pages(0, 1, true)) ||
			 complain("CPU %d has added the page", cpu);
		convert_pages(0, 1, false);
		check(-try_punch(work.fd, 0, PAGE), "fallocate");
	}
	check(sched_setaffinity(0, sizeof(all), &all), "sched_setaffinity");
	ok(right, "a page becomes private right after one of %d CPUs has added it to the file",
	   cpus);
	work.memory = map_file(work.fd, PAGES * PAGE, MAP_SHARED);
	destroy_work();
}

/* A page that is private already is not looked at. */
static void test_private_range(void)
{
	create_work(PAGES, INIT_SHARED_FLAGS);
	hold(work_page(HELD));
	convert_pages(0, HELD, true);
	ok(returns(0, try_convert_pages(0, HELD, true)),
	   "pages that are private already become so again");
	check(-try_punch(work.fd, HELD * PAGE, PAGE), "fallocate");
	ok(returns(0, try_convert_pages(0, PAGES, true)) && are_private(0, PAGES),
	   "a held page that the file has no more does not matter");
	release();
	destroy_work();
}

void test_held(void)
{
	static const struct holder holders[] = {
		{ "a buffer of io_uring", take_buffer, release, false },
		{ "vmsplice into a pipe", take_into_pipe, read_from_pipe, false },
		{ "direct I/O", take_for_read, finish_read, true },
		{ "process_vm_readv", take_for_process, finish_process, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(holders); i++)
		test_holder(&holders[i]);
	test_other_mappings();
	test_first();
	test_second_run();
	test_new_pages();
	test_private_range();
}
