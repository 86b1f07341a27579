// SPDX-License-Identifier: GPL-2.0
/*
 * What others notice of fallocate() of a guest_memfd: vCPUs that need a page of another part of it,
 * and tasks that change memslots, as these wait for vCPUs that are busy in KVM.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "bystanders.h"

#define FREE_PAGES	(64 * MIB_PAGES)	/* after the busy pages, for the bystanders */

static uint64_t busy_pages;
static atomic_bool busy;

static void fallocate_pages(int mode, uint64_t first, uint64_t pages)
{
	check(fallocate(gmem_fd, mode | FALLOC_FL_KEEP_SIZE, first * PAGE, pages * PAGE),
	      "fallocate");
}

/* --- burdens ---------------------------------------------------------------- */

static void *punch(void *arg)
{
	(void)arg;
	fallocate_pages(FALLOC_FL_PUNCH_HOLE, 0, busy_pages);
	busy = false;
	return NULL;
}

static void *allocate(void *arg)
{
	(void)arg;
	fallocate_pages(0, 0, busy_pages);
	busy = false;
	return NULL;
}

/* Punches a hole of one page, which has to wait until the others are allocated. */
static void *punch_page(void *arg)
{
	(void)arg;
	run_first(true);
	wait_for_turn();
	fallocate_pages(FALLOC_FL_PUNCH_HOLE, 0, 1);
	return NULL;
}

static void *do_nothing(void *arg)
{
	return arg;
}

static const struct {
	const char *name;
	bool allocated;			/* the busy pages are there before it begins */
	void *(*work)(void *arg);
	void *(*follower)(void *arg);
} burdens[] = {
	{ "punch", true, punch, do_nothing },
	{ "allocate", false, allocate, punch_page },
};

/* --- bystanders ------------------------------------------------------------- */

static void pre_fault_page(uint64_t turn)
{
	pre_fault(busy_pages + turn % FREE_PAGES, 1);
}

static void fault(uint64_t turn)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	vcpu->list[0] = page_gpa(busy_pages + turn % FREE_PAGES);
	run_list(vcpu, guest_read, 1, 0);
}

static void change_memslots(uint64_t turn)
{
	static void *memory;

	(void)turn;
	if (!memory)
		memory = map_memory(OTHER_GPA, PAGE);
	set_slot(PLAIN_SLOT, OTHER_GPA, PAGE, memory, -1);
	set_slot(PLAIN_SLOT, OTHER_GPA, 0, NULL, -1);
}

/* Keeps a vCPU in KVM, for the task that changes memslots. */
static void *pre_fault_all_the_time(void *arg)
{
	(void)arg;
	run_first(true);
	for (uint64_t turn = 0; busy; turn++) {
		wait_for_turn();
		pre_fault_page(turn);
	}
	return NULL;
}

static const struct {
	const char *name;
	void (*act)(uint64_t turn);
	void *(*companion)(void *arg);
	unsigned int times;		/* of which the shortest counts */
} bystanders[] = {
	{ "prefault", pre_fault_page, do_nothing, 1 },
	{ "fault", fault, do_nothing, 1 },
	/*
	 * Waits for SRCU are longer at times, whatever the others do: the grace period before has not ended, or the
	 * worker that ends it has to wait. What the others do makes all waits longer.
	 */
	{ "memslot", change_memslots, pre_fault_all_the_time, 3 },
};

static uint64_t longest_wait_ns(void (*act)(uint64_t turn))
{
	uint64_t longest_ns = 0, turn = 0;

	run_first(true);
	while (busy) {
		uint64_t due_ns = wait_for_turn(), wait_ns;

		act(turn++);
		wait_ns = now_ns() - due_ns;
		if (wait_ns > longest_ns)
			longest_ns = wait_ns;
	}
	run_first(false);
	return longest_ns;
}

static uint64_t measure(unsigned int burden, unsigned int bystander, const char *policy)
{
	pthread_t threads[3];
	uint64_t longest_ns;

	create_private_vm(busy_pages + FREE_PAGES);
	govern(policy);
	if (burdens[burden].allocated)
		fallocate_pages(0, 0, busy_pages);
	warm_up(&vm.vcpus[0]);
	usleep(SETTLE_US);

	busy = true;
	threads[0] = start_thread(bystanders[bystander].companion, NULL);
	threads[1] = start_thread(burdens[burden].follower, NULL);
	threads[2] = start_thread(burdens[burden].work, NULL);
	longest_ns = longest_wait_ns(bystanders[bystander].act);
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	destroy_private_vm();
	return longest_ns;
}

static uint64_t measure_shortest(unsigned int burden, unsigned int bystander, const char *policy)
{
	uint64_t shortest_ns = UINT64_MAX;

	for (unsigned int i = 0; i < bystanders[bystander].times; i++) {
		uint64_t longest_ns = measure(burden, bystander, policy);

		if (longest_ns < shortest_ns)
			shortest_ns = longest_ns;
	}
	return shortest_ns;
}

void measure_gmem(uint64_t mib, const char *policy)
{
	busy_pages = mib * MIB_PAGES;
	for (unsigned int burden = 0; burden < ARRAY_SIZE(burdens); burden++) {
		for (unsigned int bystander = 0; bystander < ARRAY_SIZE(bystanders); bystander++) {
			printf("%s-%s %" PRIu64 "\n", burdens[burden].name,
			       bystanders[bystander].name,
			       measure_shortest(burden, bystander, policy));
		}
	}
}
