// SPDX-License-Identifier: GPL-2.0
/*
 * What it takes to get private memory mapped, in ns of CLOCK_MONOTONIC: instructions, in a VM that
 * counts these instead of time (selftests/vm/run --icount).
 *
 * usage: prefault-cost [POLICY.bpf.o|none [WORK...]]
 *
 * The policy, if any, governs all of the VMs. Without a WORK all of them are done.
 *
 * Prints "NAME PER_PAGE EXITS PAGES" a line: ns for each page that was asked for, stage-2 faults
 * of the guest, and pages mapped in the end.
 */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench.h"
#include "kvmstat.h"
#include "policy.h"
#include "walker.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define PIECE (2 * MIB)

#define SPARSE_TOUCHES 16384u

/* A VM with @bytes of memory at AREA_GPA that can be private. */
static struct walker start(uint64_t bytes)
{
	struct walker guest = create_walker();

	add_memslot(guest.vm_fd, 0, AREA_GPA, bytes, bytes);
	return guest;
}

static void report(const char *name, struct walker *guest, uint64_t ns, uint64_t pages)
{
	if (name)
		printf("%s %llu %llu %llu\n", name, (unsigned long long)(ns / pages),
		       (unsigned long long)kvm_stat(guest->vcpu_fd, "pf_fixed"),
		       (unsigned long long)kvm_stat(guest->vm_fd, "pages_4k"));
	fflush(stdout);
	destroy_walker(guest);
}

/* A VM whose memory is all private. */
static struct walker start_private(uint64_t bytes)
{
	struct walker guest = start(bytes);

	set_attributes(guest.vm_fd, AREA_GPA, bytes, PRIVATE);
	return guest;
}

static void ioctl_all(const char *name, uint64_t bytes)
{
	struct walker guest = start_private(bytes);

	report(name, &guest, pre_fault_ns(guest.vcpu_fd, AREA_GPA, bytes), bytes / PAGE);
}

/* Memory is there and cleared, but not mapped. */
static void ioctl_cleared(const char *name, uint64_t bytes)
{
	struct walker guest = start_private(bytes);

	pre_fault_ns(guest.vcpu_fd, AREA_GPA, bytes);
	set_attributes(guest.vm_fd, AREA_GPA, bytes, 0);
	set_attributes(guest.vm_fd, AREA_GPA, bytes, PRIVATE);
	report(name, &guest, pre_fault_ns(guest.vcpu_fd, AREA_GPA, bytes), bytes / PAGE);
}

static void ioctl_mapped(const char *name, uint64_t bytes)
{
	struct walker guest = start_private(bytes);

	pre_fault_ns(guest.vcpu_fd, AREA_GPA, bytes);
	report(name, &guest, pre_fault_ns(guest.vcpu_fd, AREA_GPA, bytes), bytes / PAGE);
}

static void walk(const char *name, uint64_t bytes)
{
	struct walker guest = start_private(bytes);

	run_walker(&guest, guest_walk, AREA_GPA, bytes / PAGE, PAGE);
	report(name, &guest, guest.ns, bytes / PAGE);
}

static void sparse(const char *name, uint64_t bytes)
{
	struct walker guest = start_private(bytes);

	run_walker(&guest, guest_random, AREA_GPA, SPARSE_TOUCHES, bytes / PAGE - 1);
	report(name, &guest, guest.ns, SPARSE_TOUCHES);
}

/* A guest that accepts its memory 2 MiB at a time and uses it at once. */
static void accept_memory(const char *name, uint64_t bytes)
{
	struct walker guest = start(bytes);

	for (uint64_t gpa = AREA_GPA; gpa < AREA_GPA + bytes; gpa += PIECE) {
		guest.ns += set_attributes_ns(guest.vm_fd, gpa, PIECE, PRIVATE);
		run_walker(&guest, guest_walk, gpa, PIECE / PAGE, PAGE);
	}
	report(name, &guest, guest.ns, bytes / PAGE);
}

struct work {
	const char *name;
	void (*run)(const char *name, uint64_t bytes);
	uint64_t bytes;
};

static const struct work works[] = {
	{ "ioctl-64m", ioctl_all, 64 * MIB },
	{ "ioctl-1g", ioctl_all, GIB },
	{ "ioctl-cleared", ioctl_cleared, 64 * MIB },
	{ "ioctl-mapped", ioctl_mapped, 64 * MIB },
	{ "walk-64m", walk, 64 * MIB },
	{ "walk-1g", walk, GIB },
	{ "sparse-1g", sparse, GIB },
	{ "accept-64m", accept_memory, 64 * MIB },
};

static bool is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		if (!strcmp(name, argv[i]))
			return true;
	}
	return argc <= 2;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "none") && !bpf_map__attach_struct_ops(load_policy(argv[1], -1)))
		err(1, "cannot attach %s", argv[1]);

	/* Once for what is allocated at the first time and kept. */
	walk(NULL, 4 * MIB);
	for (size_t i = 0; i < ARRAY_SIZE(works); i++) {
		if (is_wanted(works[i].name, argc, argv))
			works[i].run(works[i].name, works[i].bytes);
	}
	return 0;
}
