// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation of a request fails once, and so do all from one on: if that gives ENOMEM nothing has
 * changed, nobody holds a page, and the same request succeeds later.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <linux/mman.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "failslab.h"
#include "inplace.h"
#include "policy.h"
#include "tap.h"

#define PAGES		4096u
#define SOME		1030u
/* In these pages there is memory. */
#define TOUCHED		16u
#define UNTOUCHED	(1ull << 63)

#define POLICY		"build/selftests/policy/fault.bpf.o"

/* A request, and what it begins with. try() returns 0 or an errno. */
struct request {
	const char *what;
	uint64_t flags;
	int (*try)(void);
	/* Whether all is as it was before the request. */
	bool (*is_unchanged)(void);
	bool policy;
	/* Whether it allocates. One value for the whole file takes no memory. */
	bool allocates;
};

static uint64_t error_offset;
static struct bpf_map *policy;

static int convert(uint64_t first, uint64_t pages, bool private)
{
	error_offset = UNTOUCHED;
	return try_convert(work.fd, first * PAGE, pages * PAGE, private ? PRIVATE : 0, &error_offset);
}

static bool failed_at(uint64_t page)
{
	return error_offset == page * PAGE ||
	       complain("the error's offset is 0x%" PRIx64, error_offset);
}


static bool all_are_shared(void)
{
	return are_shared(0, TOUCHED) & are_shared(SOME, TOUCHED);
}

static bool all_are_private(void)
{
	return are_private(0, TOUCHED) & are_private(SOME, TOUCHED);
}

/* --- conversions --------------------------------------------------------- */

static int all_to_private(void)
{
	return convert(0, PAGES, true);
}

static int all_to_shared(void)
{
	return convert(0, PAGES, false);
}

static int some_to_private(void)
{
	return convert(SOME, 1, true);
}

static int some_to_shared(void)
{
	return convert(SOME, 1, false);
}

static bool stay_shared(void)
{
	return failed_at(0) & all_are_shared();
}

static bool stay_private(void)
{
	return failed_at(0) & all_are_private();
}

static bool some_stay_shared(void)
{
	return failed_at(SOME) & all_are_shared();
}

static bool some_stay_private(void)
{
	return failed_at(SOME) & all_are_private();
}

/* --- a first access ------------------------------------------------------ */

#define NEW_PAGE	3000u

static int populate(void)
{
	error_offset = UNTOUCHED;
	return madvise(work_page(NEW_PAGE), PAGE, MADV_POPULATE_WRITE) ? errno : 0;
}

/* Whoever got as far as the page has let go of it. */
static bool is_not_held(void)
{
	bool right = returns(0, try_convert_pages(NEW_PAGE, 1, true)) & are_private(NEW_PAGE, 1);

	convert_pages(NEW_PAGE, 1, false);
	return right & all_are_shared();
}

/* --- all of them --------------------------------------------------------- */

static const struct request requests[] = {
	{ "all become private", INIT_SHARED_FLAGS, all_to_private, stay_shared, false,
	  true },
	{ "all become shared", INIT_PRIVATE_FLAGS, all_to_shared, stay_private, false,
	  false },
	{ "one becomes private", INIT_SHARED_FLAGS, some_to_private, some_stay_shared, false,
	  true },
	{ "one becomes shared", INIT_PRIVATE_FLAGS, some_to_shared, some_stay_private, false,
	  true },
	{ "all become private, by a policy", INIT_SHARED_FLAGS, all_to_private, stay_shared,
	  true, true },
	{ "one becomes shared, by a policy", INIT_PRIVATE_FLAGS, some_to_shared,
	  some_stay_private, true, true },
	{ "the host's first access", INIT_SHARED_FLAGS, populate, is_not_held, false,
	  true },
};

static bool attempt(const struct request *request, unsigned int nth, bool lasting, int *err,
		    bool *happened)
{
	begin_failing(nth, lasting);
	*err = request->try();
	*happened = end_failing();
	if (!*err)
		return true;
	return returns(ENOMEM, *err) & request->is_unchanged() & returns(0, request->try());
}

/* Each attempt has a new file in a new VM. */
static bool sweep(const struct request *request, bool lasting, unsigned int *enomem)
{
	bool right = true, happened;
	struct bpf_link *link = NULL;
	unsigned int nth = 0;
	int err;

	do {
		create_work(PAGES, request->flags);
		right &= request->flags == INIT_SHARED_FLAGS ? all_are_shared() : all_are_private();
		if (request->policy)
			link = bpf_map__attach_struct_ops(policy);
		right &= attempt(request, ++nth, lasting, &err, &happened);
		bpf_link__destroy(link);
		link = NULL;
		*enomem += err == ENOMEM;
		destroy_work();
	} while (happened);
	printf("# %u allocations, %s\n", nth - 1, lasting ? "failing from one on" : "one failing");
	return right;
}

void test_failslab(void)
{
	if (!open_failslab())
		skip_all("the kernel has no CONFIG_FAILSLAB");
	policy = load_policy(POLICY, -1);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		unsigned int enomem = 0;
		const bool right = sweep(&requests[i], false, &enomem) & sweep(&requests[i], true, &enomem);

		printf("# %u times ENOMEM\n", enomem);
		ok(right && !!enomem == requests[i].allocates,
		   "%s: without memory it fails, and nothing has changed", requests[i].what);
	}
}
