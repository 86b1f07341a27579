// SPDX-License-Identifier: GPL-2.0
/*
 * What single conversions in memory that the guest has mapped by hugepages cost, in ns of CLOCK_MONOTONIC:
 * instructions, in a VM that counts these instead of time (selftests/vm/run --icount). And what memory a sparse
 * guest takes.
 *
 * usage: hugepages-cost [POLICY.bpf.o|none] [fragmented]
 *
 * The policy, if any, governs all of the VMs. With "fragmented", measures faults on a host that has no hugepages to
 * give. Prints "NAME VALUE" a line. If guest_memfds have no hugepages, the same
 * is done with small pages.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "fragment.h"
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

/* The file is left open in @gmem_fd. */
static struct walker start_private(uint64_t size, int *gmem_fd)
{
	struct walker guest = create_walker();

	*gmem_fd = create_gmem(guest.vm_fd, size);
	set_memslot(guest.vm_fd, 0, AREA_GPA, size, map_memory(AREA_GPA, size), *gmem_fd);
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
	int gmem_fd;
	struct walker guest = start_private(SIZE, &gmem_fd);

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
	close(gmem_fd);
}

/* One page of each 2 MiB is read. Prints how many pages the guest_memfd has then. */
static void read_sparsely(void)
{
	int gmem_fd;
	struct walker guest = start_private(SPARSE_SIZE, &gmem_fd);

	run_walker(&guest, guest_walk, AREA_GPA, SPARSE_SIZE / BLOCK, BLOCK);
	print("sparse-pages", gmem_pages(gmem_fd));
	destroy_walker(&guest);
	close(gmem_fd);
}

/* Prints the longest of the runs in each of which the guest reads one page for the first time. */
static void read_singly(struct walker *guest, uint64_t gpa)
{
	uint64_t longest = 0;

	for (uint64_t offset = 0; offset < SIZE; offset += PAGE) {
		guest->ns = 0;
		run_walker(guest, guest_walk, gpa + offset, 1, PAGE);
		longest = guest->ns > longest ? guest->ns : longest;
	}
	print("fragmented-longest", longest);
}

/* The host has memory, but no hugepages. */
static void use_fragments(void)
{
	struct fragments fragments = fragment_memory();
	int gmem_fd;
	struct walker guest = start_private(2 * SIZE, &gmem_fd);

	run_walker(&guest, guest_walk, AREA_GPA, SIZE / PAGE, PAGE);
	print("fragmented-walk", guest.ns / (SIZE / PAGE));
	read_singly(&guest, AREA_GPA + SIZE);
	print("fragmented-huge", kvm_stat(guest.vm_fd, "pages_2m"));
	destroy_walker(&guest);
	close(gmem_fd);
	free_fragments(&fragments);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "none") && !bpf_map__attach_struct_ops(load_policy(argv[1], -1)))
		err(1, "cannot attach %s", argv[1]);

	if (argc > 2 && !strcmp(argv[2], "fragmented")) {
		use_fragments();
	} else {
		convert_pages();
		read_sparsely();
	}
	return 0;
}
