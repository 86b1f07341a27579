// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_PRE_FAULT_MEMORY at the same time as itself and as changes of the memory: whatever was
 * pre-faulted is what the guest has to find there.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "prefault.h"
#include "tap.h"

/* --- parallel ------------------------------------------------------------ */

#define PARALLEL_PAGES	(2 * BLOCK_PAGES)

static pthread_barrier_t parallel_begins, parallel_ends;
static bool parallel_over;
static int parallel_errs[VCPUS];

static void *pre_fault_in_parallel(void *arg)
{
	struct vcpu *vcpu = arg;

	for (;;) {
		pthread_barrier_wait(&parallel_begins);
		if (parallel_over)
			return NULL;
		parallel_errs[vcpu - vm.vcpus] = pre_fault(vcpu, 0, PARALLEL_PAGES);
		pthread_barrier_wait(&parallel_ends);
	}
}

/* Pages that count as mapped ahead, which the stock kernel does not tell. */
static unsigned long long count_prefaulted(void)
{
	return has_vm_stat("prefaulted_pages") ? vm_stat("prefaulted_pages") : 0;
}

void test_parallel(void)
{
	const unsigned long rounds = part_numbers[0];
	bool successful = true, ready = true, once = true, counted = true;
	unsigned long long pages, prefaulted;
	pthread_t threads[VCPUS];
	int gmem_fd;

	create_vm(VCPUS);
	for (int id = 0; id < VCPUS; id++)
		warm_up(&vm.vcpus[id]);
	gmem_fd = create_work(PARALLEL_PAGES);
	pthread_barrier_init(&parallel_begins, NULL, VCPUS + 1);
	pthread_barrier_init(&parallel_ends, NULL, VCPUS + 1);
	for (int id = 0; id < VCPUS; id++)
		threads[id] = start_thread(pre_fault_in_parallel, &vm.vcpus[id]);

	for (unsigned long i = 0; i < rounds; i++) {
		/* Nothing of it is mapped, and every other time nothing is there, or half of it. */
		set(0, PARALLEL_PAGES, false);
		set(0, PARALLEL_PAGES, true);
		if (i % 4 == 1)
			punch(gmem_fd, 0, PARALLEL_PAGES);
		for (uint64_t page = 0; i % 4 == 3 && page < PARALLEL_PAGES; page += 2)
			punch(gmem_fd, page, 1);
		/* Or every other one is private. */
		for (uint64_t page = 0; i % 3 == 2 && page < PARALLEL_PAGES; page += 2)
			set(page, page + 1, false);
		pages = vm_stat("pages_4k");
		prefaulted = count_prefaulted();
		pthread_barrier_wait(&parallel_begins);
		pthread_barrier_wait(&parallel_ends);
		for (int id = 0; id < VCPUS; id++)
			if (parallel_errs[id])
				successful = complain("vCPU %d: %s", id,
						      strerror(parallel_errs[id]));
		if (vm_stat("pages_4k") != pages + PARALLEL_PAGES)
			once = complain("%llu pages are mapped", vm_stat("pages_4k") - pages);
		prefaulted = count_prefaulted() - prefaulted;
		if (prefaulted && prefaulted != PARALLEL_PAGES)
			counted = complain("%llu pages count as mapped ahead", prefaulted);
		ready &= pages_are_ready(&vm.vcpus[i % VCPUS], 0, PARALLEL_PAGES);
		write_private(&vm.vcpus[i % VCPUS], i % 7, PARALLEL_PAGES / 2);
	}
	parallel_over = true;
	pthread_barrier_wait(&parallel_begins);
	for (int id = 0; id < VCPUS; id++)
		pthread_join(threads[id], NULL);

	ok(successful, "%d vCPUs pre-fault the same memory, %lu times: all succeed", VCPUS, rounds);
	ok(once, "each page is mapped, once");
	ok(counted, "and counts as mapped ahead once, if at all");
	ok(ready, "the guest finds what it should, without a fault");
}

/* --- random -------------------------------------------------------------- */

#define RANDOM_PAGES	(4 * BLOCK_PAGES + 77u)

/* At most @max pages, which may begin and end anywhere. */
static void random_range(uint64_t *random, uint64_t pages, uint64_t max, uint64_t *first,
			 uint64_t *end)
{
	*first = next_random(random) % pages;
	*end = *first + 1 + next_random(random) % max;
	*end = *end < pages ? *end : pages;
}

/* Some of the memory changes, in one way or another. */
static void random_change(uint64_t *random, int gmem_fd)
{
	uint64_t first, end;

	random_range(random, RANDOM_PAGES, next_random(random) % 2 ? 700 : 30, &first, &end);
	switch (next_random(random) % 8) {
	case 0:
		punch(gmem_fd, first, end - first);
		break;
	case 1:			/* every other page, private and shared in turns */
		for (uint64_t page = first; page < end && page < first + 150; page++)
			set(page, page + 1, (page - first) % 2);
		break;
	case 2:			/* allocated, not mapped */
		check(fallocate(gmem_fd, FALLOC_FL_KEEP_SIZE, first * PAGE,
				(end - first) * PAGE), "fallocate");
		break;
	default:
		set(first, end, next_random(random) % 3);
	}
}

void test_random(void)
{
	const unsigned long seed = part_numbers[0], rounds = part_numbers[1];
	unsigned long long pages = 0;
	bool successful = true, ready = true;
	struct vcpu *vcpu = &vm.vcpus[0];
	uint64_t random = seed_random(seed), first, end;
	int gmem_fd;

	create_vm(1);
	warm_up(vcpu);
	gmem_fd = create_work(RANDOM_PAGES);
	set(0, RANDOM_PAGES, true);
	for (unsigned long i = 0; i < rounds; i++) {
		for (uint64_t changes = next_random(&random) % 6; changes; changes--)
			random_change(&random, gmem_fd);
		random_range(&random, RANDOM_PAGES, 1100, &first, &end);
		successful &= pre_fault_ends_with(0, first, end - first);
		ready &= pages_are_ready(vcpu, first, end - first);
		pages += end - first;
		random_range(&random, RANDOM_PAGES, 300, &first, &end);
		write_private(vcpu, first, end - first);
	}
	printf("# %llu pages pre-faulted\n", pages);
	ok(successful, "%lu ranges of private and shared pages: each is pre-faulted entirely",
	   rounds);
	ok(ready, "each time the guest finds what it should in it, without a fault");
	ok(pages_are_right(vcpu, 0, RANDOM_PAGES, is_content), "in the end in all of the memory");
}

/* --- holes, flips -------------------------------------------------------- */

#define RACE_PAGES	(2 * BLOCK_PAGES)
#define RACE_RANGE	64u
/* Much of it happens in these pages, so that it meets. */
#define HOT_PAGES	32u

static _Atomic bool race_over;
static unsigned long race_calls[VCPUS], race_errs[VCPUS];
static int race_err[VCPUS];

static uint64_t race_area(uint64_t *random)
{
	return next_random(random) % 2 ? HOT_PAGES : RACE_PAGES;
}

/* The vCPU pre-faults some pages or others again and again. */
static void *race_pre_faults(void *arg)
{
	struct vcpu *vcpu = arg;
	int id = vcpu - vm.vcpus;
	uint64_t random = seed_random(id), first, end;

	while (!race_over) {
		uint64_t area = race_area(&random);
		int err;

		random_range(&random, area, area, &first, &end);
		err = pre_fault(vcpu, first, end - first);
		race_calls[id]++;
		if (err) {
			race_errs[id]++;
			race_err[id] = err;
		}
	}
	return NULL;
}

/* What was punched reads as zero at once, whoever is about to map it. */
static bool punch_and_look(struct vcpu *vcpu, uint64_t *random, int gmem_fd)
{
	uint64_t first, end;
	bool right;

	random_range(random, race_area(random), RACE_RANGE, &first, &end);
	if (next_random(random) % 16 == 0) {
		first = 0;
		end = RACE_PAGES;
	}
	punch(gmem_fd, first, end - first);
	right = pages_are_right(vcpu, first, end - first, is_content);
	write_private(vcpu, first, end - first);
	return right;
}

static bool flip_and_look(struct vcpu *vcpu, uint64_t *random, int gmem_fd)
{
	uint64_t first, end;

	(void)gmem_fd;
	random_range(random, race_area(random), next_random(random) % 8 ? RACE_RANGE : RACE_PAGES,
		     &first, &end);
	set(first, end, next_random(random) % 2);
	return pages_are_right(vcpu, first, end - first, is_content);
}

static void test_race(const char *what, unsigned long rounds,
		      bool (*act)(struct vcpu *vcpu, uint64_t *random, int gmem_fd))
{
	uint64_t random = seed_random(rounds);
	struct vcpu *vcpu = &vm.vcpus[0];
	pthread_t threads[VCPUS];
	bool right = true, all_right = true;
	int gmem_fd;

	create_vm(VCPUS);
	gmem_fd = create_work(RACE_PAGES);
	set(0, RACE_PAGES, true);
	write_private(vcpu, 0, RACE_PAGES);
	for (int id = 1; id < VCPUS; id++)
		threads[id] = start_thread(race_pre_faults, &vm.vcpus[id]);
	for (unsigned long i = 0; i < rounds; i++) {
		right &= act(vcpu, &random, gmem_fd);
		if (i % 16 == 15)
			all_right &= pages_are_right(vcpu, 0, RACE_PAGES, is_content);
	}
	race_over = true;
	for (int id = 1; id < VCPUS; id++)
		pthread_join(threads[id], NULL);

	ok(right, "%s, %lu times: at once the guest finds what it should there", what, rounds);
	ok(all_right && pages_are_right(vcpu, 0, RACE_PAGES, is_content), "and everywhere else");
	for (int id = 1; id < VCPUS; id++)
		ok(race_calls[id] && !race_errs[id],
		   "vCPU %d meanwhile: %lu pre-faults, %lu failed (%s)", id, race_calls[id],
		   race_errs[id], strerror(race_err[id]));
}

void test_holes(void)
{
	test_race("a hole is punched", part_numbers[0], punch_and_look);
}

void test_flips(void)
{
	test_race("attributes flip", part_numbers[0], flip_and_look);
}
