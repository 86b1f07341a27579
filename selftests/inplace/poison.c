// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that fails while somebody holds it, and while its file is in use. Each of the latter is a process of
 * its own, which ends in time, or whose threads wait for each other.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inplace.h"
#include "tap.h"

#define PAGES		8u
#define HELD		5u
#define TARGET		3u

static bool has_memory_failure(void)
{
	uint8_t *page = map_memory(0, PAGE);
	int err;

	*page = 1;
	err = poison(page);
	munmap(page, PAGE);
	if (err)
		skip("memory failure",
		     "madvise(MADV_HWPOISON): %s, the kernel has no CONFIG_MEMORY_FAILURE",
		     strerror(err));
	return !err;
}

/* --- pages that are held ------------------------------------------------- */

static void test_held_and_poisoned(void)
{
	create_work(PAGES, INIT_SHARED_FLAGS);
	ok(are_shared(0, PAGES), "a page is a buffer of io_uring");
	hold(work_page(HELD));
	ok(returns(0, poison(work_page(HELD))), "it is poisoned");
	ok(is_held(0, PAGES, HELD) && is_held(HELD, 1, HELD) && are_shared(0, HELD) &&
	   are_shared(HELD + 1, PAGES - HELD - 1),
	   "it is still held: EAGAIN with its offset, the others stay as they are");
	release();
	ok(returns(0, try_convert_pages(0, PAGES, true)) && are_private(0, HELD) &&
	   are_private(HELD + 1, PAGES - HELD - 1), "released, all become private");
	ok(returns(0, try_convert_pages(0, PAGES, false)) && are_shared(0, HELD),
	   "and shared again");
	destroy_work();
}

/* --- files that are in use ----------------------------------------------- */

/* What a race may take. The debug kernel on a busy machine needs a tenth of it. */
#define WATCHDOG_S	300

static atomic_bool is_over;

static void ignore(int signal)
{
	(void)signal;
}

/*
 * Poisons a page of the file as often as part_numbers[0] says. Somebody else may take it away, convert or
 * poison it at any time. Then the next try may succeed.
 */
static int poison_again_and_again(void *unused)
{
	uint64_t poisoned = 0;
	uint32_t word = 0;

	(void)unused;
	while (poisoned < part_numbers[0]) {
		catch_bus_errors();
		if (!try_store(work_page(TARGET), word)) {
			signal(SIGBUS, ignore);
			/* The kernel has taken the page out of use, but leaves it to the file. */
			poisoned += madvise(work_page(TARGET), PAGE, MADV_HWPOISON) && errno == EBUSY;
		}
		try_punch(work.fd, TARGET * PAGE, PAGE);
		/* This process's page table says that the page is poisoned until the process forgets it. */
		check(madvise(work_page(TARGET), PAGE, MADV_DONTNEED), "madvise");
	}
	return 0;
}

static void *punch_and_touch(void *unused)
{
	uint32_t word;

	while (!is_over) {
		check(-try_punch(work.fd, 0, PAGES * PAGE), "fallocate");
		for (uint64_t page = 0; page < PAGES; page++)
			try_load(work_page(page), &word);
		check(madvise(work.memory, PAGES * PAGE, MADV_DONTNEED), "madvise");
	}
	return unused;
}

static void *convert(void *unused)
{
	int err = 0;

	while (!is_over && !err) {
		err = try_convert_pages(0, PAGES, true);
		if (!err || err == EAGAIN)
			err = try_convert_pages(0, PAGES, false);
	}
	if (!returns(0, err))
		_exit(1);
	return unused;
}

/* Another process poisons the pages that this one uses in @use. */
static int race(void *use)
{
	void *(*const function)(void *) = *(void *(**)(void *))use;
	pthread_t thread;
	int outcome;

	create_work(PAGES, INIT_SHARED_FLAGS);
	is_over = false;
	thread = start_thread(function, NULL);
	outcome = in_child(poison_again_and_again, NULL);
	is_over = true;
	pthread_join(thread, NULL);
	check(-try_punch(work.fd, 0, PAGES * PAGE), "fallocate");
	check(madvise(work.memory, PAGES * PAGE, MADV_DONTNEED), "madvise");
	return outcome || !are_shared(0, PAGES) || try_convert_pages(0, PAGES, true) ||
	       !are_private(0, PAGES);
}

/* A process that waits in the kernel for good cannot be killed: leave it behind. */
static bool ends_in_time(int pid)
{
	int status;

	for (int tenths = 0; tenths < WATCHDOG_S * 10; tenths++) {
		if (check(waitpid(pid, &status, WNOHANG), "waitpid"))
			return !status || complain("the process's status is 0x%x", status);
		usleep(100000);
	}
	kill(pid, SIGKILL);
	return complain("the process has not ended after %d s", WATCHDOG_S);
}

static void test_race(const char *what, void *(*use)(void *))
{
	const int pid = check(fork(), "fork");

	if (!pid)
		_exit(race(&use));
	ok(ends_in_time(pid), "a page is poisoned again and again: %s", what);
}

void test_poison_races(void)
{
	if (!has_memory_failure())
		return;
	test_held_and_poisoned();
	test_race("holes are punched and pages touched meanwhile", punch_and_touch);
	test_race("pages are converted meanwhile", convert);
}
