// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of content and state when pages are converted. The cases are those of upstream's
 * guest_memfd_conversions_test.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inplace.h"
#include "tap.h"

static bool are(uint64_t first, uint64_t pages, bool private)
{
	return private ? are_private(first, pages) : are_shared(first, pages);
}

static const char *name_of(bool private)
{
	return private ? "private" : "shared";
}

static uint64_t flags_of(bool private)
{
	return private ? INIT_PRIVATE_FLAGS : INIT_SHARED_FLAGS;
}

static void test_init(bool private)
{
	bool right;

	create_work(1, flags_of(private));
	ok(are(0, 1, private), "a file begins as %s, of zeroes", name_of(private));
	convert_pages(0, 1, !private);
	ok(are(0, 1, !private), "as %s memory it has what was written to it", name_of(!private));
	convert_pages(0, 1, private);
	ok(are(0, 1, private), "and so it has when it is %s again", name_of(private));
	right = true;
	for (unsigned int i = 0; i < 10; i++) {
		convert_pages(0, 1, !(i % 2));
		right &= are(0, 1, !(i % 2));
	}
	ok(right, "converted ten times");
	destroy_work();
}

/* Converting one page changes none of the others. */
static void test_indexing(bool private)
{
	const uint64_t pages = 4;
	bool right = true;

	create_work(pages, flags_of(private));
	for (uint64_t page = 0; page < pages; page++) {
		convert_pages(page, 1, !private);
		right &= are(0, page, private) & are(page, 1, !private) &
			 are(page + 1, pages - page - 1, private);
		convert_pages(page, 1, private);
		right &= are(0, pages, private);
	}
	ok(right, "of %s pages each one is converted, and converted back: no other changes",
	   name_of(private));
	destroy_work();
}

static void test_before_allocation(bool private)
{
	create_work(2, flags_of(!private));
	convert_pages(0, 2, private);
	ok(are(0, 1, private), "converted to %s before there is a page: it reads as zero",
	   name_of(private));
	convert_pages(1, 1, !private);
	ok(are(1, 1, !private), "converted twice: so does this");
	destroy_work();
}

/* Some pages of the range have memory. */
static void test_unallocated(bool private, uint64_t allocated, uint64_t count)
{
	const uint64_t pages = 8;
	bool right;

	create_work(pages, flags_of(private));
	right = are(allocated, count, private);
	convert_pages(0, pages, !private);
	right &= are(0, pages, !private);
	for (uint64_t page = 0; page < pages; page++) {
		convert_pages(page, 1, private);
		right &= are(0, page + 1, private) & are(page + 1, pages - page - 1, !private);
	}
	ok(right,
	   "of %s pages only %lu, from %lu on, have memory: those keep it, the others read as zero",
	   name_of(private), count, allocated);
	destroy_work();
}

static void test_truncate(bool private)
{
	const uint64_t pages = 4, punched = 1;
	bool right;

	create_work(pages, flags_of(private));
	right = are(0, pages, private);
	check(-try_punch(work.fd, punched * PAGE, PAGE), "fallocate");
	work.words[punched] = 0;
	ok(right & are(0, pages, private), "a hole in %s pages: it reads as zero, and is %s",
	   name_of(private), name_of(private));
	convert_pages(0, pages, !private);
	check(-try_punch(work.fd, punched * PAGE, PAGE), "fallocate");
	work.words[punched] = 0;
	ok(are(0, pages, !private), "so it is after a conversion");
	destroy_work();
}

/* --- other processes ----------------------------------------------------- */

enum { CHILD_FINDS_NOTHING = 1, CHILD_LOADS = 2, CHILD_STORES = 4 };

/* The child has the page mapped, waits for SIGCONT, and tries again. */
static int touch_twice(uint8_t *page)
{
	uint32_t word;
	int got = 0;

	if (try_load(page, &word) || word != work.words[0])
		return CHILD_FINDS_NOTHING;
	raise(SIGSTOP);
	got |= try_load(page, &word) ? 0 : CHILD_LOADS;
	got |= try_store(page, word) ? 0 : CHILD_STORES;
	return got;
}

/* Returns what the child gets of the page when the pages are converted to @private in between. */
static int touch_from_child(bool private)
{
	const int pid = check(fork(), "fork");
	int status;

	if (!pid)
		_exit(touch_twice(work_page(0)));
	check(waitpid(pid, &status, WUNTRACED), "waitpid");
	convert_pages(0, 1, private);
	kill(pid, SIGCONT);
	return WIFSTOPPED(status) ? wait_for_child(pid) : WEXITSTATUS(status);
}

static void test_forked(void)
{
	create_work(1, INIT_SHARED_FLAGS);
	ok(are_shared(0, 1) && touch_from_child(false) == (CHILD_LOADS | CHILD_STORES),
	   "a child has access to a page that stays shared");
	ok(touch_from_child(true) == 0,
	   "a page that a child has mapped is converted: it has none any more");
	ok(are_private(0, 1), "and this process has none");
	convert_pages(0, 1, false);
	ok(are_shared(0, 1), "shared again, this process has");
	destroy_work();
}

/* --- a page that is in use ----------------------------------------------- */

static void test_elevated(uint64_t held)
{
	const uint64_t pages = 4;
	bool right;

	create_work(pages, INIT_SHARED_FLAGS);
	right = are_shared(0, pages);
	hold(work_page(held));
	right &= is_held(0, pages, held) & are_shared(0, pages);
	for (uint64_t page = 0; page < pages; page++) {
		if (page == held) {
			right &= is_held(page, 1, held) & are_shared(page, 1);
		} else {
			convert_pages(page, 1, true);
			right &= are_private(page, 1);
		}
	}
	right &= is_held(0, pages, held) & are_shared(held, 1);
	release();
	convert_pages(0, pages, true);
	right &= are_private(0, pages);
	convert_pages(0, pages, false);
	ok(right & are_shared(0, pages),
	   "page %lu of %lu is held: EAGAIN with its offset, alone and with others, "
	   "none of which changes then; released, all become private and keep what they have", held,
	   pages);
	destroy_work();
}

void test_conversions(void)
{
	for (int private = 0; private < 2; private++) {
		test_init(private);
		test_indexing(private);
		test_before_allocation(private);
		for (uint64_t page = 0; page < 8; page += 3) {
			test_unallocated(private, page, 1);
			test_unallocated(private, page, 2);
		}
		test_truncate(private);
	}
	test_forked();
	for (uint64_t page = 0; page < 4; page++)
		test_elevated(page);
}
