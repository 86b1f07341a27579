// SPDX-License-Identifier: GPL-2.0
/*
 * Measures what others notice while memory of a VM becomes shared, comes or goes. Prints a line for
 * each measurement, its name and a number. The caller compares kernels and says what is too much.
 *
 *	notifiers MIB
 *		nanoseconds, at most, that a task waits which gives back memory of another memslot
 *		while so many MiB are made shared, whose attributes were never changed page by page
 *		(plain-MIBM), or were (fragmented-MIBM)
 *	kicks MIB [POLICY]
 *		flushes of all vCPUs' TLBs when so many MiB are made shared of which one page per
 *		2 MiB is already (kicks-block-MIBM), or every other page (kicks-page-MIBM)
 *	gmem MIB [POLICY]
 *		nanoseconds, at most, that it takes to map another page of a guest_memfd ahead
 *		(punch-prefault), or as the guest touches it (punch-fault), or to create and delete
 *		another memslot (punch-memslot), while a hole of so many MiB is punched; the same
 *		while memory is allocated and somebody waits to punch a hole (allocate-*)
 *
 * POLICY is the object file of a policy that governs the VM.
 *
 * With selftests/vm/run --icount nanoseconds are instructions. There is one CPU then, on which
 * bystanders come first: what they wait for is a lock, or code that does not let others run.
 */
#define _GNU_SOURCE
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bystanders.h"
#include "policy.h"

#define PERIOD_NS	300000u		/* between two turns of a bystander */
#define FIFO_PRIORITY	1

int gmem_fd;

uint64_t wait_for_turn(void)
{
	uint64_t due_ns = now_ns() + PERIOD_NS;
	const struct timespec due = { due_ns / 1000000000, due_ns % 1000000000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
	return due_ns;
}

void run_first(bool first)
{
	const struct sched_param param = { .sched_priority = first ? FIFO_PRIORITY : 0 };

	errno = pthread_setschedparam(pthread_self(), first ? SCHED_FIFO : SCHED_OTHER, &param);
	if (errno)
		failed("SCHED_FIFO");
}

void convert(uint64_t first, uint64_t pages, bool private)
{
	set_attributes(vm.fd, page_gpa(first), pages * PAGE, private ? PRIVATE : 0);
}

void pre_fault(uint64_t first, uint64_t pages)
{
	errno = try_pre_fault_all(vm.vcpus[0].fd, page_gpa(first), pages * PAGE);
	if (errno)
		failed("KVM_PRE_FAULT_MEMORY");
}

void create_private_vm(uint64_t pages)
{
	create_vm(1);
	gmem_fd = create_gmem(vm.fd, pages * PAGE);
	set_slot(WORK_SLOT, AREA_GPA, pages * PAGE, map_memory(AREA_GPA, pages * PAGE), gmem_fd);
	convert(0, pages, true);
}

void destroy_private_vm(void)
{
	close(gmem_fd);
	destroy_vm();
	usleep(SETTLE_US);
}

void govern(const char *policy)
{
	if (policy && !bpf_map__attach_struct_ops(load_policy(policy, vm.fd)))
		failed(policy);
}

int main(int argc, char **argv)
{
	const char *part = argc >= 3 ? argv[1] : "";
	uint64_t mib = argc >= 3 ? strtoull(argv[2], NULL, 0) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3 && mib && !strcmp(part, "notifiers"))
		measure_notifiers(mib);
	else if (argc <= 4 && mib && !strcmp(part, "kicks"))
		measure_kicks(mib, argv[3]);
	else if (argc <= 4 && mib && !strcmp(part, "gmem"))
		measure_gmem(mib, argv[3]);
	else {
		fprintf(stderr, "usage: bystanders notifiers MIB\n"
				"       bystanders kicks|gmem MIB [POLICY]\n");
		return 2;
	}
	return 0;
}
