// SPDX-License-Identifier: GPL-2.0
/*
 * Random conversions, while four vCPUs and four threads of the host check and change the same pages.
 *
 * A page has two words, one for each side, so that both can write at the same time. A word is a page's
 * address and a version. Of a word only its owner changes the version, the vCPU or the thread whose
 * number is the page's modulo four; everybody checks that what they read is not older than what was
 * there before they looked, nor newer than what was about to be written afterwards.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "inplace.h"
#include "now.h"
#include "tap.h"

#define PAGES		WORK_PAGES_MAX
#define SIDES		4u
#define BLOCK		64u			/* pages that one lock is for */
#define BLOCKS		(PAGES / BLOCK)
#define RANGE_MAX	256u			/* pages of most conversions, */
#define LONG_RANGE_MAX	4096u			/* and of one in 16 */
#define BATCH		16u			/* accesses of the host between two conversions */
#define GUEST_BATCH	256u
#define VERSIONS	(uint32_t)PAGE
#define REPORT_EACH	5000u			/* conversions */
#define HOST_OFFSET	8u			/* of the host's word */

/* One of the words of a page: which version is there at least, and which at most. */
struct versions {
	_Atomic uint32_t written, begun;
};

static struct versions guest_words[PAGES], host_words[PAGES];
/* Odd while the page is being converted. */
static _Atomic uint32_t conversions_of[PAGES];
static atomic_bool is_page_private[PAGES];	/* changes while that is odd */
static pthread_mutex_t block_locks[BLOCKS];
static atomic_ulong conversions, refusals, host_checks, host_sigbus, guest_checks, guest_faults,
	wrong;
static atomic_bool is_over;
static uint64_t conversions_wanted, start_ns;

static void is_wrong(const char *who, uint64_t page, uint32_t word, uint32_t from, uint32_t to)
{
	wrong++;
	complain("%s: page %" PRIu64 " has 0x%x, its version should be 0x%x to 0x%x", who, page,
		 word, from, to);
}

/* Versions go around. */
static bool is_version_right(uint64_t page, uint32_t word, uint32_t from, uint32_t to)
{
	return word / VERSIONS == page_gpa(page) / VERSIONS &&
	       (word - from) % VERSIONS <= (to - from) % VERSIONS;
}

static void check_word(const char *who, uint64_t page, const struct versions *versions,
		       uint32_t word, uint32_t from)
{
	const uint32_t to = versions->begun;

	if (!is_version_right(page, word, from, to))
		is_wrong(who, page, word, from, to);
}

/* --- the host ------------------------------------------------------------ */

/* What is certain of a page if its conversions have not gone on since. */
static bool stayed_the_same(uint64_t page, uint32_t before)
{
	return !(before & 1) && conversions_of[page] == before;
}

static void check_outcome(uint64_t page, uint32_t before, bool private, int code)
{
	host_checks++;
	host_sigbus += code != 0;
	if (code && code != BUS_ADRERR)
		is_wrong("the host gets another signal", page, code, 0, 0);
	else if (stayed_the_same(page, before) && private != !!code)
		is_wrong(private ? "the host has access" : "the host has no access", page, code,
			 0, 0);
}

static void host_reads(uint64_t page, unsigned int offset, struct versions *versions)
{
	const uint32_t before = conversions_of[page], from = versions->written;
	const bool private = is_page_private[page];
	uint32_t word;
	const int code = try_load(work_page(page) + offset, &word);

	check_outcome(page, before, private, code);
	if (!code)
		check_word("the host", page, versions, word, from);
}

static void host_writes(uint64_t page)
{
	struct versions *versions = &host_words[page];
	const uint32_t before = conversions_of[page], next = versions->written + 1;
	const bool private = is_page_private[page];
	int code;

	versions->begun = next;
	code = try_store(work_page(page) + HOST_OFFSET, page_gpa(page) | next % VERSIONS);
	check_outcome(page, before, private, code);
	if (!code)
		versions->written = next;
}

static void lock_blocks(uint64_t first, uint64_t pages, int (*function)(pthread_mutex_t *))
{
	for (uint64_t block = first / BLOCK; block <= (first + pages - 1) / BLOCK; block++)
		function(&block_locks[block]);
}

/* The host's other threads may be in faults on these pages. */
static void convert_range(uint64_t first, uint64_t pages, bool private)
{
	int err;

	lock_blocks(first, pages, pthread_mutex_lock);
	for (uint64_t page = first; page < first + pages; page++)
		conversions_of[page]++;
	while ((err = try_convert_pages(first, pages, private)) == EAGAIN) {
		refusals++;
		sched_yield();
	}
	if (err)
		is_wrong("a conversion fails", first, err, 0, 0);
	for (uint64_t page = first; page < first + pages; page++) {
		is_page_private[page] = private;
		conversions_of[page]++;
	}
	lock_blocks(first, pages, pthread_mutex_unlock);
}

static void convert_some(uint64_t *random)
{
	const uint64_t max = next_random(random) % 16 ? RANGE_MAX : LONG_RANGE_MAX;
	const uint64_t pages = 1 + next_random(random) % (1 + next_random(random) % max);
	const uint64_t first = next_random(random) % (PAGES - pages + 1);

	convert_range(first, pages, next_random(random) % 2);
}

/* A run of hours shall show how far it has come. */
static void report_progress(uint64_t nth)
{
	if (nth % REPORT_EACH)
		return;
	printf("# %" PRIu64 " conversions in %" PRIu64 " s, %lu words are wrong\n", nth,
	       (now_ns() - start_ns) / 1000000000, wrong);
	fflush(stdout);
}

static void *be_host(void *arg)
{
	const unsigned int side = (uintptr_t)arg;
	uint64_t random = seed_random(side), nth;

	while ((nth = ++conversions) <= conversions_wanted) {
		report_progress(nth);
		convert_some(&random);
		for (unsigned int i = 0; i < BATCH; i++) {
			const uint64_t page = next_random(&random) % PAGES;

			host_reads(page, 0, &guest_words[page]);
			host_reads(page, HOST_OFFSET, &host_words[page]);
			host_writes(page / SIDES * SIDES + side);
		}
	}
	return NULL;
}

/* --- the guest ----------------------------------------------------------- */

/* The version is the same in all of a list. */
static void guest_writes(struct vcpu *vcpu, unsigned int side, uint64_t *random, uint32_t version)
{
	for (unsigned int i = 0; i < GUEST_BATCH; i++) {
		const uint64_t page = next_random(random) % PAGES / SIDES * SIDES + side;

		vcpu->list[i] = page_gpa(page);
		guest_words[page].begun = version;
	}
	guest_faults += run_list_again(vcpu, guest_write, GUEST_BATCH, version % VERSIONS);
	for (unsigned int i = 0; i < GUEST_BATCH; i++)
		guest_words[(vcpu->list[i] - AREA_GPA) / PAGE].written = version;
}

static void guest_reads(struct vcpu *vcpu, uint64_t *random, unsigned int offset,
			const struct versions *versions)
{
	uint32_t from[GUEST_BATCH];

	for (unsigned int i = 0; i < GUEST_BATCH; i++) {
		const uint64_t page = next_random(random) % PAGES;

		vcpu->list[i] = page_gpa(page) + offset;
		from[i] = versions[page].written;
	}
	guest_faults += run_list_again(vcpu, guest_read, GUEST_BATCH, 0);
	for (unsigned int i = 0; i < GUEST_BATCH; i++) {
		const uint64_t page = (vcpu->list[i] - AREA_GPA) / PAGE;

		check_word("the guest", page, &versions[page], vcpu->found[i], from[i]);
	}
	guest_checks += GUEST_BATCH;
}

static void *be_guest(void *arg)
{
	const unsigned int side = (uintptr_t)arg;
	struct vcpu *vcpu = &vm.vcpus[side];
	uint64_t random = seed_random(SIDES + side);

	for (uint32_t version = 2; !is_over; version++) {
		guest_writes(vcpu, side, &random, version);
		guest_reads(vcpu, &random, 0, guest_words);
		guest_reads(vcpu, &random, HOST_OFFSET, host_words);
	}
	return NULL;
}

/* --- before and after ---------------------------------------------------- */

static void create_words(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	for (uint64_t page = 0; page < PAGES; page++) {
		host_words[page] = guest_words[page] = (struct versions) { 1, 1 };
		if (try_store(work_page(page) + HOST_OFFSET, page_gpa(page) | 1))
			failed("storing to a shared page");
	}
	for (uint64_t first = 0; first < PAGES; first += LIST_WORDS) {
		for (unsigned int i = 0; i < LIST_WORDS; i++)
			vcpu->list[i] = page_gpa(first + i);
		run_list(vcpu, guest_write, LIST_WORDS, 1);
	}
	for (unsigned int block = 0; block < BLOCKS; block++)
		pthread_mutex_init(&block_locks[block], NULL);
}

static bool all_is_right(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	const unsigned long before = wrong;

	for (uint64_t page = 0; page < PAGES; page++) {
		/* Signals take their time. */
		if (is_page_private[page] && page % 16)
			continue;
		host_reads(page, 0, &guest_words[page]);
		host_reads(page, HOST_OFFSET, &host_words[page]);
	}
	for (uint64_t first = 0; first < PAGES; first += LIST_WORDS) {
		for (unsigned int i = 0; i < LIST_WORDS; i++)
			vcpu->list[i] = page_gpa(first + i);
		run_list(vcpu, guest_read, LIST_WORDS, 0);
		for (unsigned int i = 0; i < LIST_WORDS; i++)
			check_word("the guest", first + i, &guest_words[first + i], vcpu->found[i],
				   guest_words[first + i].written);
	}
	return wrong == before;
}

static void run_all(void)
{
	pthread_t hosts[SIDES], guests[SIDES];

	start_ns = now_ns();
	for (uintptr_t side = 0; side < SIDES; side++) {
		guests[side] = start_thread(be_guest, (void *)side);
		hosts[side] = start_thread(be_host, (void *)side);
	}
	for (unsigned int side = 0; side < SIDES; side++)
		pthread_join(hosts[side], NULL);
	is_over = true;
	for (unsigned int side = 0; side < SIDES; side++)
		pthread_join(guests[side], NULL);
}

void test_data(void)
{
	conversions_wanted = part_numbers[0];
	create_work_for(MAX_VCPUS, PAGES, INIT_SHARED_FLAGS);
	create_words();
	ok(all_is_right(), "host and guest find their words in %u MiB",
	   (unsigned int)(PAGES * PAGE >> 20));
	run_all();
	printf("# %" PRIu64 " conversions, %lu tries refused; the host: %lu checks, %lu times SIGBUS; "
	       "the guest: %lu checks, %lu exits\n", conversions_wanted, refusals, host_checks,
	       host_sigbus, guest_checks, guest_faults);
	ok(!wrong && host_sigbus && host_sigbus < host_checks && guest_checks,
	   "%" PRIu64 " random conversions: no word is wrong (%lu)", conversions_wanted, wrong);
	ok(all_is_right(),
	   "when all is over, private pages keep the host out, all others have their words");
	convert_range(0, PAGES, false);
	ok(all_is_right(), "all pages are shared: both find their words");
	convert_range(0, PAGES, true);
	ok(all_is_right(), "all are private: only the guest does");
	destroy_work();
}
