// SPDX-License-Identifier: GPL-2.0
/*
 * Random conversions by four threads of the host and by those of four vCPUs, which check and change
 * the same pages.
 *
 * A page has two words, one for the host and one for the guest, so that both can write at the same
 * time. Such a word is the page's address and a version. Of a word only its owner changes the version,
 * the vCPU or the thread whose number is the page's modulo four; everybody checks that what they read
 * is not older than what was there before they looked, nor newer than what was about to be written
 * afterwards. The rest of the page never changes.
 *
 * A thread of the host and a vCPU form a pair. Both convert a round of ranges, and meet. Then each
 * checks what the two have converted: the host all bytes of a page, the guest both words and one of
 * the rest. When both have done that, the next round makes whole the blocks that have lost pages, so
 * that the guest has hugepages to lose again. The pairs do not wait for each other, and look at what
 * the others are just converting, too.
 * Threads that wait for another sleep: all may have to share one emulated CPU.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "huge.h"
#include "now.h"
#include "tap.h"

#define PAGES		WORK_PAGES_MAX
#define SIDES		4u			/* pairs of a vCPU and a thread of the host */
#define LOCK_PAGES	64u			/* pages that one lock is for */
#define LOCKS		(PAGES / LOCK_PAGES)
#define RANGE_MAX	256u			/* pages of most ranges, */
#define LONG_RANGE_MAX	4096u			/* and of one in 16 */
#define ROUND_MAX	4u			/* ranges of one thread between two meetings of a pair */
#define RANGE_CHECKS	8u			/* pages that are checked for each range */
#define ROUND_CHECKS	(2 * ROUND_MAX * RANGE_CHECKS)
#define LIST_PAGES	256u			/* that a vCPU goes through at most */
#define VERSIONS	(uint32_t)PAGE
#define PROGRESS_LINES	20u
#define HOST_OFFSET	4u			/* of the host's word; the guest's is the first */
/* A page has so many longs. The first one holds both words; the others never change. */
#define PAGE_LONGS	(PAGE / sizeof(uint64_t))

/* One of the words of a page: which version is there at least, and which at most. */
struct versions {
	_Atomic uint32_t written, begun;
};

static struct versions guest_words[PAGES], host_words[PAGES];
/* Odd while the page is being converted. */
static _Atomic uint32_t conversions_of[PAGES];
static atomic_bool is_page_private[PAGES];	/* changes while that is odd */
static pthread_mutex_t range_locks[LOCKS];
static atomic_ulong conversions, converted_pages, refusals, host_checks, host_sigbus, guest_checks,
	guest_faults, bytes_checked, wrong;
static uint64_t conversions_wanted, start_ns;

struct range {
	uint64_t first, pages;
};

/* A thread that converts. Without a vCPU it is the host's. */
struct converter {
	struct vcpu *vcpu;
	unsigned int side;
	uint64_t random;
	uint32_t version;			/* that a vCPU writes next */
	struct range random_ranges[ROUND_MAX], whole_blocks[ROUND_MAX];
	bool was_private[ROUND_MAX];		/* the page that a random range begins with */
	_Atomic uint64_t first, pages;		/* what is being converted now, for others to look at */
};

static struct converter hosts[SIDES], guests[SIDES];
static pthread_barrier_t meetings[SIDES];

static void is_wrong(const char *who, uint64_t page, uint64_t found, uint64_t from, uint64_t to)
{
	wrong++;
	complain("%s: page %" PRIu64 " has 0x%" PRIx64 ", it should be 0x%" PRIx64 " to 0x%" PRIx64, who, page,
		 found, from, to);
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

/* What never changes; the guest reads the lower half of it. */
static uint64_t long_of_rest(uint64_t page, unsigned int nth)
{
	return page_gpa(page) + nth * 0x9e3779b97f4a7c15;
}

static void check_rest(const char *who, uint64_t page, uint64_t found, uint64_t expected)
{
	if (found != expected)
		is_wrong(who, page, found, expected, expected);
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

/* All of the page. */
static void host_reads(uint64_t page)
{
	const uint32_t before = conversions_of[page];
	const uint32_t guest_from = guest_words[page].written, host_from = host_words[page].written;
	const bool private = is_page_private[page];
	uint64_t longs[PAGE_LONGS];
	const int code = try_copy(longs, work_page(page), PAGE_LONGS);

	check_outcome(page, before, private, code);
	if (code)
		return;
	check_word("the host", page, &guest_words[page], longs[0], guest_from);
	check_word("the host", page, &host_words[page], longs[0] >> 32, host_from);
	for (unsigned int nth = 1; nth < PAGE_LONGS; nth++)
		check_rest("the host", page, longs[nth], long_of_rest(page, nth));
	bytes_checked += PAGE;
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

static void host_checks_pages(const uint64_t *pages, unsigned int count, unsigned int side)
{
	for (unsigned int i = 0; i < count; i++) {
		host_reads(pages[i]);
		if (pages[i] % SIDES == side)
			host_writes(pages[i]);
	}
}

/* --- the guest ----------------------------------------------------------- */

static uint64_t page_of(uint32_t gpa)
{
	return (gpa - AREA_GPA) / PAGE;
}

/* The version is the same in all of a list. */
static void guest_writes_own(struct converter *me, const uint64_t *pages, unsigned int count)
{
	const uint32_t version = me->version++;
	unsigned int own = 0;

	for (unsigned int i = 0; i < count; i++) {
		if (pages[i] % SIDES != me->side)
			continue;
		me->vcpu->list[own++] = page_gpa(pages[i]);
		guest_words[pages[i]].begun = version;
	}
	if (!own)
		return;
	guest_faults += run_list_again(me->vcpu, guest_write, own, version % VERSIONS);
	for (unsigned int i = 0; i < own; i++)
		guest_words[page_of(me->vcpu->list[i])].written = version;
}

/* Both words of each page, and one of the rest, which is not always the same one. */
static void guest_reads_words(struct converter *me, const uint64_t *pages, unsigned int count)
{
	uint32_t guest_from[LIST_PAGES], host_from[LIST_PAGES], rest[LIST_PAGES];
	uint32_t *list = me->vcpu->list;
	const uint32_t *found = me->vcpu->found;

	for (unsigned int i = 0; i < count; i++) {
		rest[i] = 1 + next_random(&me->random) % (PAGE_LONGS - 1);
		guest_from[i] = guest_words[pages[i]].written;
		host_from[i] = host_words[pages[i]].written;
		*list++ = page_gpa(pages[i]);
		*list++ = page_gpa(pages[i]) + HOST_OFFSET;
		*list++ = page_gpa(pages[i]) + rest[i] * sizeof(uint64_t);
	}
	guest_faults += run_list_again(me->vcpu, guest_read, 3 * count, 0);
	for (unsigned int i = 0; i < count; i++) {
		check_word("the guest", pages[i], &guest_words[pages[i]], *found++, guest_from[i]);
		check_word("the guest", pages[i], &host_words[pages[i]], *found++, host_from[i]);
		check_rest("the guest", pages[i], *found++, (uint32_t)long_of_rest(pages[i], rest[i]));
	}
	guest_checks += count;
	bytes_checked += 3 * count * sizeof(uint32_t);
}

/* --- conversions --------------------------------------------------------- */

static void lock_range(uint64_t first, uint64_t pages, int (*function)(pthread_mutex_t *))
{
	for (uint64_t lock = first / LOCK_PAGES; lock <= (first + pages - 1) / LOCK_PAGES; lock++)
		function(&range_locks[lock]);
}

/* The host's other threads may be in faults on these pages. */
static void convert_range(uint64_t first, uint64_t pages, bool private)
{
	int err;

	lock_range(first, pages, pthread_mutex_lock);
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
	lock_range(first, pages, pthread_mutex_unlock);
}

static struct range random_range(uint64_t *random)
{
	const uint64_t max = next_random(random) % 16 ? RANGE_MAX : LONG_RANGE_MAX;
	const uint64_t pages = 1 + next_random(random) % (1 + next_random(random) % max);

	return (struct range) { next_random(random) % (PAGES - pages + 1), pages };
}

static struct range blocks_of(const struct range *range)
{
	const uint64_t first = range->first / BLOCK_PAGES * BLOCK_PAGES;
	const uint64_t end = (range->first + range->pages + BLOCK_PAGES - 1) / BLOCK_PAGES * BLOCK_PAGES;

	return (struct range) { first, end - first };
}

/* A long run shall show how far it has come. */
static void report_progress(uint64_t nth)
{
	const uint64_t step = (conversions_wanted + PROGRESS_LINES - 1) / PROGRESS_LINES;

	if (nth % step)
		return;
	printf("# %" PRIu64 " of %" PRIu64 " conversions in %" PRIu64 " s, %lu words are wrong\n", nth,
	       conversions_wanted, (now_ns() - start_ns) / 1000000000, wrong);
	fflush(stdout);
}

static void convert_one(struct converter *me, const struct range *range, bool private)
{
	me->first = range->first;
	me->pages = range->pages;
	convert_range(range->first, range->pages, private);
	converted_pages += range->pages;
	report_progress(++conversions);
}

static void convert_random_ranges(struct converter *me, unsigned int ranges)
{
	for (unsigned int i = 0; i < ranges; i++) {
		me->random_ranges[i] = random_range(&me->random);
		me->was_private[i] = is_page_private[me->random_ranges[i].first];
		convert_one(me, &me->random_ranges[i], !me->was_private[i]);
	}
}

/*
 * Mostly the blocks become what they were before. If they always did, all would end up alike, as
 * those of a range get the state that one of them had.
 */
static void convert_whole_blocks(struct converter *me, unsigned int ranges)
{
	for (unsigned int i = 0; i < ranges; i++) {
		const bool private = next_random(&me->random) % 4 ? me->was_private[i] : next_random(&me->random) % 2;

		me->whole_blocks[i] = blocks_of(&me->random_ranges[i]);
		convert_one(me, &me->whole_blocks[i], private);
	}
}

static uint64_t random_page(struct converter *me, uint64_t first, uint64_t pages)
{
	return (first + next_random(&me->random) % pages) % PAGES;
}

/*
 * A range's ends, the pages next to it, two in it, and two of what others are converting, of which
 * some are the checker's own.
 */
static void choose_pages(struct converter *me, const struct range *range, uint64_t *pages)
{
	const uint64_t end = range->first + range->pages;
	const struct converter *other;

	*pages++ = range->first;
	*pages++ = end - 1;
	*pages++ = range->first ? range->first - 1 : 0;
	*pages++ = end < PAGES ? end : PAGES - 1;
	*pages++ = random_page(me, range->first, range->pages);
	*pages++ = random_page(me, range->first, range->pages) / SIDES * SIDES + me->side;
	other = &hosts[next_random(&me->random) % SIDES];
	*pages++ = random_page(me, other->first, other->pages);
	other = &guests[next_random(&me->random) % SIDES];
	*pages++ = random_page(me, other->first, other->pages) / SIDES * SIDES + me->side;
}

static void check_ranges(struct converter *me, const struct range *one, const struct range *other,
			 unsigned int ranges)
{
	uint64_t pages[ROUND_CHECKS];
	unsigned int count = 0;

	for (unsigned int i = 0; i < ranges; i++) {
		choose_pages(me, &one[i], &pages[count]);
		choose_pages(me, &other[i], &pages[count + RANGE_CHECKS]);
		count += 2 * RANGE_CHECKS;
	}
	if (me->vcpu) {
		guest_reads_words(me, pages, count);
		guest_writes_own(me, pages, count);
	} else {
		host_checks_pages(pages, count, me->side);
	}
}

/* Nothing that the pair has converted changes before both have checked it, unless another pair does that. */
static void *convert_and_check(void *arg)
{
	struct converter *me = arg;
	const struct converter *host = &hosts[me->side], *guest = &guests[me->side];
	uint64_t left = conversions_wanted / (2 * SIDES);
	bool is_random = true;

	while (left) {
		const unsigned int ranges = left < ROUND_MAX ? left : ROUND_MAX;

		if (is_random)
			convert_random_ranges(me, ranges);
		else
			convert_whole_blocks(me, ranges);
		pthread_barrier_wait(&meetings[me->side]);
		if (is_random)
			check_ranges(me, host->random_ranges, guest->random_ranges, ranges);
		else
			check_ranges(me, host->whole_blocks, guest->whole_blocks, ranges);
		pthread_barrier_wait(&meetings[me->side]);
		is_random = !is_random;
		left -= ranges;
	}
	return NULL;
}

/* --- before and after ---------------------------------------------------- */

static void create_words(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	for (uint64_t page = 0; page < PAGES; page++) {
		uint64_t *longs = (uint64_t *)work_page(page);

		host_words[page] = guest_words[page] = (struct versions) { 1, 1 };
		longs[0] = (page_gpa(page) | 1) << 32;
		for (unsigned int nth = 1; nth < PAGE_LONGS; nth++)
			longs[nth] = long_of_rest(page, nth);
	}
	for (uint64_t first = 0; first < PAGES; first += LIST_WORDS) {
		for (unsigned int i = 0; i < LIST_WORDS; i++)
			vcpu->list[i] = page_gpa(first + i);
		run_list(vcpu, guest_write, LIST_WORDS, 1);
	}
	for (unsigned int lock = 0; lock < LOCKS; lock++)
		pthread_mutex_init(&range_locks[lock], NULL);
}

static void create_converters(void)
{
	for (unsigned int side = 0; side < SIDES; side++) {
		hosts[side] = (struct converter) {
			.side = side, .random = seed_random(side), .pages = 1,
		};
		guests[side] = (struct converter) {
			.side = side, .random = seed_random(SIDES + side), .pages = 1,
			.vcpu = &vm.vcpus[side], .version = 2,
		};
		pthread_barrier_init(&meetings[side], NULL, 2);
	}
}

static bool all_is_right(void)
{
	const unsigned long before = wrong;
	uint64_t pages[LIST_PAGES];

	for (uint64_t page = 0; page < PAGES; page++) {
		/* Signals take their time. */
		if (is_page_private[page] && page % 16)
			continue;
		host_reads(page);
	}
	for (uint64_t first = 0; first < PAGES; first += LIST_PAGES) {
		for (unsigned int i = 0; i < LIST_PAGES; i++)
			pages[i] = first + i;
		guest_reads_words(&guests[0], pages, LIST_PAGES);
	}
	return wrong == before;
}

/* Every other block becomes private, so that there are conversions both ways from the beginning. */
static void convert_half(void)
{
	for (uint64_t page = 0; page < PAGES; page += 2 * BLOCK_PAGES)
		convert_range(page, BLOCK_PAGES, true);
}

static void run_all(void)
{
	pthread_t threads[2 * SIDES];

	start_ns = now_ns();
	for (unsigned int side = 0; side < SIDES; side++) {
		threads[side] = start_thread(convert_and_check, &guests[side]);
		threads[SIDES + side] = start_thread(convert_and_check, &hosts[side]);
	}
	for (unsigned int i = 0; i < 2 * SIDES; i++)
		pthread_join(threads[i], NULL);
}

static bool has_hugepages(void)
{
	char text[16];

	read_file("/sys/module/kvm/parameters/gmem_huge_pages", text, sizeof(text));
	return !strcmp(text, "always\n");
}

/*
 * So many became hugepages again, at least: KVM does not count those that were zapped as a whole and
 * came back.
 */
static int64_t hugepages_regained(const struct counts *before, const struct counts *now)
{
	return now->hugepages + now->splits - before->splits - before->hugepages;
}

static void report_figures(const struct counts *before)
{
	const struct counts now = counts_now();

	printf("# %lu conversions of %lu pages, half by the host's threads, half by those of vCPUs, in %" PRIu64
	       " s; %lu tries refused\n", conversions, converted_pages, (now_ns() - start_ns) / 1000000000, refusals);
	printf("# hugepages: %" PRIu64 " before, %" PRIu64 " split, at least %" PRId64 " regained, %" PRIu64 " now\n",
	       before->hugepages, now.splits - before->splits, hugepages_regained(before, &now), now.hugepages);
	printf("# the host: %lu pages or words, %lu times SIGBUS; the guest: %lu pages, %lu exits; %lu bytes checked\n",
	       host_checks, host_sigbus, guest_checks, guest_faults, bytes_checked);
}

void test_data(void)
{
	struct counts before, now;

	/* Each thread makes as many. */
	conversions_wanted = (part_numbers[0] + 2 * SIDES - 1) / (2 * SIDES) * 2 * SIDES;
	create_work_for(MAX_VCPUS, PAGES, INIT_SHARED_FLAGS);
	create_words();
	create_converters();
	convert_half();
	ok(all_is_right(), "%u MiB, of which every other block becomes private: host and guest find their words",
	   (unsigned int)(PAGES * PAGE >> 20));
	before = counts_now();
	run_all();
	report_figures(&before);
	ok(!wrong && host_sigbus && host_sigbus < host_checks && conversions == conversions_wanted,
	   "%lu random conversions: no word is wrong (%lu)", conversions, wrong);
	ok(all_is_right(),
	   "when all is over, private pages keep the host out, all others have their words");
	convert_range(0, PAGES, false);
	ok(all_is_right(), "all pages are shared: both find their words");
	convert_range(0, PAGES, true);
	ok(all_is_right(), "all are private: only the guest does");
	now = counts_now();
	if (has_hugepages())
		ok(before.hugepages && now.hugepages == before.hugepages && now.splits > before.splits,
		   "hugepages were split, and are all there again");
	destroy_work();
}
