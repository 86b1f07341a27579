// SPDX-License-Identifier: GPL-2.0
/*
 * What KVM counts, and how often it asks a policy, where the index of a page in the file is not that in
 * the memslot.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inplace.h"
#include "policy.h"
#include "tap.h"

/* The memslot begins at an odd page of the file, and takes several entries of the xarray that finds it. */
#define SLOT_FIRST	1u
#define SLOT_PAGES	4096u
#define SLOT_END	(SLOT_FIRST + SLOT_PAGES)
#define PAGES		(2 * SLOT_PAGES)

/* A policy that has all callbacks, and neither refuses, widens nor proposes anything. */
#define POLICY		"build/selftests/policy/fault.bpf.o"

struct counts {
	uint64_t became_private, became_shared, zapped, widened, asked;
};

static struct counts read_counts(void)
{
	return (struct counts) {
		.became_private = vm_stat("memattr_pages_private"),
		.became_shared = vm_stat("memattr_pages_shared"),
		.zapped = vm_stat("memattr_zapped_pages"),
		.widened = vm_stat("memattr_widened_pages"),
		.asked = vm_stat("memattr_policy_calls"),
	};
}

static bool grew(const char *name, uint64_t before, uint64_t after, uint64_t expected)
{
	return after - before == expected ||
	       complain("%s grows by %" PRId64 " instead of %" PRIu64, name, (int64_t)(after - before),
			expected);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Pages [first, end) of the file, all of which change. */
static bool converts_exactly(uint64_t first, uint64_t end, bool private, uint64_t asked)
{
	const uint64_t pages = end - first,
		mapped = smaller(end, SLOT_END) - larger(first, SLOT_FIRST);
	const struct counts before = read_counts();
	struct counts after;

	convert_pages(first, pages, private);
	after = read_counts();
	return grew("memattr_pages_private", before.became_private, after.became_private,
		    private ? pages : 0) &
	       grew("memattr_pages_shared", before.became_shared, after.became_shared,
		    private ? 0 : pages) &
	       grew("memattr_zapped_pages", before.zapped, after.zapped, mapped) &
	       grew("memattr_widened_pages", before.widened, after.widened, 0) &
	       grew("memattr_policy_calls", before.asked, after.asked, asked);
}

static void test_ranges(const char *whom, bool policy)
{
	static const struct {
		const char *what;
		uint64_t first, end;
		/* How often a policy's convert() is asked. */
		unsigned int parts;
	} cases[] = {
		{ "all of the memslot", SLOT_FIRST, SLOT_END, 1 },
		{ "its first page", SLOT_FIRST, SLOT_FIRST + 1, 1 },
		{ "its last page", SLOT_END - 1, SLOT_END, 1 },
		{ "pages in the middle", SLOT_FIRST + 70, SLOT_END - 1000, 1 },
		{ "a page on each side as well", SLOT_FIRST - 1, SLOT_END + 1, 3 },
		{ "all of the file", 0, PAGES, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool right = true;

		for (int private = 1; private >= 0; private--) {
			/* Then zap(), and prefault() for what became private. */
			const uint64_t asked = policy ? cases[i].parts + 1 + private : 0;

			right &= converts_exactly(cases[i].first, cases[i].end, private, asked);
		}
		ok(right, "%s, %s: each page counts once, in both directions", whom, cases[i].what);
	}
}

void test_counts(void)
{
	struct bpf_link *link;

	create_work(PAGES, INIT_SHARED_FLAGS);
	set_slot(WORK_SLOT, AREA_GPA, 0, NULL, -1);
	check(-try_set_gmem_slot(vm.fd, WORK_SLOT, AREA_GPA, SLOT_PAGES * PAGE,
				 work_page(SLOT_FIRST), work.fd, SLOT_FIRST * PAGE),
	      "KVM_SET_USER_MEMORY_REGION2");
	test_ranges("without a policy", false);
	link = bpf_map__attach_struct_ops(load_policy(POLICY, vm.fd));
	if (!link)
		failed(POLICY);
	test_ranges("with one, which is asked once about each part", true);
	bpf_link__destroy(link);
	destroy_work();
}
