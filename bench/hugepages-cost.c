// SPDX-License-Identifier: GPL-2.0
/*
 * What single conversions in memory that the guest has mapped by hugepages cost, in ns of CLOCK_MONOTONIC:
 * instructions, in a VM that counts these instead of time (selftests/vm/run --icount). And what memory a sparse
 * guest takes.
 *
 * usage: hugepages-cost [POLICY.bpf.o|none]
 *
 * The policy, if any, governs all of the VMs. Prints "NAME VALUE" a line. If guest_memfds have no hugepages, the same
 * is done with small pages.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "kvmstat.h"
#include "policy.h"
#include "walker.h"

#define SIZE		(64ull << 20)
#define BLOCK		(BLOCK_PAGES * PAGE)
#define BLOCKS		(SIZE / BLOCK)
#define SPARSE_SIZE	(1ull << 30)

static void print(const char *name, uint64_t value)
{
	printf("%s %llu\n", name, (unsigned long long)value);
	fflush(stdout);
}

static struct walker start_private(uint64_t size)
{
	struct walker guest = create_walker();

	set_memslot(guest.vm_fd, 0, AREA_GPA, size, map_memory(AREA_GPA, size), create_gmem(guest.vm_fd, size));
	set_attributes(guest.vm_fd, AREA_GPA, size, PRIVATE);
	return guest;
}

/* One page of each 2 MiB is converted. Prints what a conversion costs. */
static void convert_each(struct walker *guest, const char *name, uint64_t offset, uint64_t attributes)
{
	uint64_t ns = 0;

	for (uint64_t block = 0; block < SIZE; block += BLOCK)
		ns += set_attributes_ns(guest->vm_fd, AREA_GPA + block + offset, PAGE, attributes);
	print(name, ns / BLOCKS);
}

/* The guest reads all of its memory, or one page of each 2 MiB. Prints how many faults it takes for 2 MiB. */
static void read_all(struct walker *guest, const char *name, uint64_t offset, uint64_t step)
{
	const uint64_t before = kvm_stat(guest->vcpu_fd, "pf_fixed");

	run_walker(guest, guest_walk, AREA_GPA + offset, SIZE / step, step);
	print(name, (kvm_stat(guest->vcpu_fd, "pf_fixed") - before) / BLOCKS);
}

static void convert_pages(void)
{
	struct walker guest = start_private(SIZE);

	run_walker(&guest, guest_walk, AREA_GPA, SIZE / PAGE, PAGE);
	/* Once for what is allocated at the first time and kept. */
	set_attributes(guest.vm_fd, AREA_GPA, PAGE, 0);
	set_attributes(guest.vm_fd, AREA_GPA, PAGE, PRIVATE);
	run_walker(&guest, guest_walk, AREA_GPA, 1, PAGE);
	convert_each(&guest, "to-shared-first", 0, 0);
	convert_each(&guest, "to-shared-next", PAGE, 0);
	read_all(&guest, "faults-shared", 0, PAGE);
	convert_each(&guest, "to-private-first", 0, PRIVATE);
	convert_each(&guest, "to-private-last", PAGE, PRIVATE);
	read_all(&guest, "faults-private", 0, PAGE);
	print("huge-again", kvm_stat(guest.vm_fd, "pages_2m"));
	destroy_walker(&guest);
}

/* Pages in files of the whole machine, of which guest_memfds are some. */
static uint64_t file_pages(void)
{
	FILE *vmstat = fopen("/proc/vmstat", "re"), *refresh = fopen("/proc/sys/vm/stat_refresh", "we");
	unsigned long long pages = 0;
	char line[128];

	if (!vmstat || !refresh)
		err(1, "/proc");
	/* The counts of all CPUs are added up. */
	fputs("1\n", refresh);
	fclose(refresh);
	while (fgets(line, sizeof(line), vmstat) && sscanf(line, "nr_file_pages %llu", &pages) != 1)
		;
	fclose(vmstat);
	return pages;
}

/* One page of each 2 MiB is read. Prints how many pages the guest_memfd has then. */
static void read_sparsely(void)
{
	struct walker guest = start_private(SPARSE_SIZE);
	const uint64_t before = file_pages();

	run_walker(&guest, guest_walk, AREA_GPA, SPARSE_SIZE / BLOCK, BLOCK);
	print("sparse-pages", file_pages() - before);
	destroy_walker(&guest);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "none") && !bpf_map__attach_struct_ops(load_policy(argv[1], -1)))
		err(1, "cannot attach %s", argv[1]);

	convert_pages();
	read_sparsely();
	return 0;
}
