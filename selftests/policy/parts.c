// SPDX-License-Identifier: GPL-2.0
/*
 * What a policy is asked about a guest_memfd that two memslots map, and a part of which none does,
 * when it is converted in place. The policy is parts.bpf.c. TAP.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "parts.h"
#include "parts.skel.h"
#include "policy.h"
#include "tap.h"
#include "testvm.h"
#include "touch.h"

/* In pages; the file is mapped by a memslot, by none, and by a memslot again. */
#define PART		16ull
#define FIRST_GFN	0x1000ull
#define SECOND_GFN	0x2000ull
#define NO_GFN		(~0ull)
#define FROM_FILE	1	/* KVM_MEMATTR_REASON_GMEM */

static struct parts_bpf *policy;
static int vm_fd, gmem_fd;
static uint8_t *memory;

static void create_vm(void)
{
	catch_bus_errors();
	vm_fd = create_protected_vm_fd();
	gmem_fd = check(try_create_gmem(vm_fd, 3 * PART * PAGE,
					GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED),
			"KVM_CREATE_GUEST_MEMFD");
	memory = map_file(gmem_fd, 3 * PART * PAGE, MAP_SHARED);
	check(-try_set_gmem_slot(vm_fd, 0, FIRST_GFN * PAGE, PART * PAGE, memory, gmem_fd, 0),
	      "the first memslot");
	check(-try_set_gmem_slot(vm_fd, 1, SECOND_GFN * PAGE, PART * PAGE,
				 memory + 2 * PART * PAGE, gmem_fd, 2 * PART * PAGE),
	      "the second memslot");
}

/* It is attached until this process ends. */
static void load_parts(void)
{
	policy = parts_bpf__open_opts(kvm_open_options());
	if (!policy)
		err(1, "cannot open parts");
	policy->struct_ops.parts->vm_fd = vm_fd;
	if (parts_bpf__load(policy))
		err(1, "cannot load parts");
	if (!bpf_map__attach_struct_ops(policy->maps.parts))
		err(1, "cannot attach parts");
}

static int convert(uint64_t first, uint64_t pages, bool private)
{
	policy->bss->nr_asks = 0;
	policy->bss->nr_zaps = 0;
	return try_convert(gmem_fd, first * PAGE, pages * PAGE, private ? PRIVATE : 0, NULL);
}

static bool are(const char *what, const struct part *found, uint32_t nr_found,
		const struct part *expected, uint32_t nr)
{
	for (uint32_t i = 0; i < nr && i < nr_found; i++) {
		if (memcmp(&found[i], &expected[i], sizeof(*found)))
			return complain("%s %u: gfns 0x%llx to 0x%llx, 0x%llx to 0x%llx, reason %llu",
					what, i, found[i].gfn_start, found[i].gfn_end,
					found[i].start, found[i].end, found[i].reason);
	}
	return nr == nr_found || complain("%u times %s instead of %u", nr_found, what, nr);
}

#define ASKS_ARE(...)	({								\
	const struct part _expected[] = { __VA_ARGS__ };				\
	are("convert", policy->bss->asks, policy->bss->nr_asks, _expected,		\
	    sizeof(_expected) / sizeof(*_expected));					\
})
#define ZAPS_ARE(...)	({								\
	const struct part _expected[] = { __VA_ARGS__ };				\
	are("zap", policy->bss->zaps, policy->bss->nr_zaps, _expected,			\
	    sizeof(_expected) / sizeof(*_expected));					\
})

static bool host_is_refused(uint64_t page)
{
	uint32_t word;

	return try_load(memory + page * PAGE, &word) == BUS_ADRERR;
}

static void test_asks(void)
{
	ok(!convert(PART / 2, 2 * PART, true) &&
	   ASKS_ARE({ FIRST_GFN + PART / 2, FIRST_GFN + PART, PART / 2, PART, FROM_FILE },
		    { NO_GFN, NO_GFN, PART, 2 * PART, FROM_FILE },
		    { SECOND_GFN, SECOND_GFN + PART / 2, 2 * PART, 2 * PART + PART / 2,
		      FROM_FILE }),
	   "convert: it is asked about the part in each memslot, and about the part in none");
	ok(ZAPS_ARE({ FIRST_GFN + PART / 2, FIRST_GFN + PART, FIRST_GFN, FIRST_GFN + PART, 0 },
		    { SECOND_GFN, SECOND_GFN + PART / 2, SECOND_GFN, SECOND_GFN + PART, 0 }),
	   "zap: about what changes in each memslot");
	ok(!convert(2 * PART + 2, 3, false) &&
	   ASKS_ARE({ SECOND_GFN + 2, SECOND_GFN + 5, 2 * PART + 2, 2 * PART + 5, FROM_FILE }) &&
	   ZAPS_ARE({ SECOND_GFN + 2, SECOND_GFN + 5, SECOND_GFN, SECOND_GFN + PART, 0 }),
	   "in the middle of the second memslot: about these gfns");
}

static void test_refusals(void)
{
	ok(!convert(0, 3 * PART, true), "all become private");
	policy->bss->refused_gfn = NO_GFN;
	ok(convert(0, 3 * PART, false) == EPERM && host_is_refused(0) && host_is_refused(PART),
	   "it refuses the part in no memslot: nothing changes");
	policy->bss->refused_gfn = SECOND_GFN;
	ok(convert(0, 3 * PART, false) == EPERM && host_is_refused(0) && host_is_refused(2 * PART),
	   "it refuses the part in the second memslot: nothing changes");
	ok(!convert(0, PART, false) && !host_is_refused(0), "others become shared");
	policy->bss->refused_gfn = 0;
	ok(!convert(0, 3 * PART, false), "it refuses nothing: all do");
}

/* --- a memslot goes while the policy is asked ----------------------------- */

static void *convert_all(void *unused)
{
	errno = convert(0, 3 * PART, true);
	return errno ? &policy : unused;
}

static void test_slot_goes(void)
{
	const struct kvm_userspace_memory_region2 none = { .slot = 1,
							   .guest_phys_addr = SECOND_GFN * PAGE };
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_zeropage zero = { .range.len = PAGE };
	const int fd = check(syscall(SYS_userfaultfd, O_CLOEXEC), "userfaultfd");
	void *page = map_memory(0, PAGE), *failure;
	struct uffd_msg fault;
	pthread_t converter;

	area.range.start = zero.range.start = (uintptr_t)page;
	area.range.len = PAGE;
	check(ioctl(fd, UFFDIO_API, &api), "UFFDIO_API");
	check(ioctl(fd, UFFDIO_REGISTER, &area), "UFFDIO_REGISTER");
	policy->bss->wait_address = (uintptr_t)page;
	if (pthread_create(&converter, NULL, convert_all, NULL))
		errx(1, "pthread_create");
	check(read(fd, &fault, sizeof(fault)), "reading a fault");
	check(-try_set_region(vm_fd, &none), "deleting a memslot");
	check(ioctl(fd, UFFDIO_ZEROPAGE, &zero), "UFFDIO_ZEROPAGE");
	pthread_join(converter, &failure);
	policy->bss->wait_address = 0;
	ok(!failure && policy->bss->nr_asks > 2 &&
	   !memcmp(&policy->bss->asks[policy->bss->nr_asks - 2],
		   (struct part[]) { { FIRST_GFN, FIRST_GFN + PART, 0, PART, FROM_FILE },
				     { NO_GFN, NO_GFN, PART, 3 * PART, FROM_FILE } },
		   2 * sizeof(struct part)),
	   "a memslot is deleted while it is asked: it is asked again, about what is there then");
	close(fd);
}

static const struct test_part parts[] = {
	{ "asks", "", test_asks },
	{ "refusals", "", test_refusals },
	{ "deleted", "", test_slot_goes },
};

int main(int argc, char **argv)
{
	create_vm();
	load_parts();
	return run_part(argc, argv, parts, sizeof(parts) / sizeof(*parts));
}
