// SPDX-License-Identifier: GPL-2.0
/* KVM_PRE_FAULT_MEMORY ends when memslots are deleted or moved; what the stock kernel does. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "prefault.h"
#include "tap.h"

#define TOO_LATE	(1000 * MS)	/* for a memslot, or a call that is not to go on */
#define CALL_US		2000	/* what one takes, about */
/* So often others may have had the CPU for as long. */
#define LATE_ROUNDS(n)	(1 + (n) / 50)

#define SLOT_PAGES	(2 * BLOCK_PAGES)
#define AWAY		(4 * BLOCK_PAGES)	/* where it is moved to */
#define LARGE_PAGES	65536ull

struct slot_kind {
	const char *what;
	bool plain_vm;			/* in which all page tables become obsolete */
	bool private;
	bool moves;
};

static const struct slot_kind slot_kinds[] = {
	{ "private memory deleted", false, true, false },
	{ "shared memory deleted", false, false, false },
	{ "shared memory moved", false, false, true },
	{ "memory of a plain VM deleted", true, false, false },
	{ "memory of a plain VM moved", true, false, true },
};

/* What becomes of a vCPU that pre-faults the memslot all the time. Under loop_lock. */
static struct {
	unsigned long calls, done, again, absent, others, late;
	int other;			/* the last errno of those */
	bool spun, over;
	bool deleted;			/* the memslot */
	uint64_t longest;
} loop;

static pthread_mutex_t loop_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t loop_changed = PTHREAD_COND_INITIALIZER;

static uint8_t *slot_memory;
static int slot_gmem_fd;

/* What one call came to. Returns whether there is to be another one. */
static bool note_call(int err, uint64_t rest, uint64_t ns)
{
	bool again;

	pthread_mutex_lock(&loop_lock);
	loop.longest = ns > loop.longest ? ns : loop.longest;
	loop.late += ns > TOO_LATE;
	loop.calls++;
	switch (err) {
	case 0:
		/* A rest is what was deleted in the middle of it. */
		loop.done += !rest;
		break;
	case EAGAIN:
		loop.again++;
		break;
	case ENOENT:
		loop.absent++;
		break;
	case EINTR:
		loop.spun = true;
		break;
	default:
		loop.other = err;
		loop.others++;
	}
	/* As often it got so far that the signal came after some pages. */
	if (!err && ns > (SPIN_S - 1) * 1000 * MS)
		loop.spun = true;
	again = !loop.spun && !loop.over;
	pthread_cond_broadcast(&loop_changed);
	pthread_mutex_unlock(&loop_lock);
	return again;
}

static void *loop_pre_faults(void *unused)
{
	struct kvm_pre_fault_memory range;
	uint64_t start;
	int err;

	(void)unused;
	let_alarms(true);
	do {
		range = range_of(0, SLOT_PAGES);
		start = now_ns();
		err = pre_fault_some(&vm.vcpus[0], &range);
	} while (note_call(err, range.size, now_ns() - start));
	return NULL;
}

/* Waits for @counter, one of the loop's, to grow. Returns whether that took no longer than it may. */
static bool grows(const unsigned long *counter)
{
	const uint64_t start = now_ns(), end = start + 10 * TOO_LATE;
	const struct timespec until = { .tv_sec = end / 1000000000, .tv_nsec = end % 1000000000 };
	unsigned long before;
	bool grown;

	pthread_mutex_lock(&loop_lock);
	before = *counter;
	while (*counter == before && !loop.spun)
		if (pthread_cond_clockwait(&loop_changed, &loop_lock, CLOCK_MONOTONIC, &until))
			break;
	grown = *counter != before;
	pthread_mutex_unlock(&loop_lock);
	return grown && now_ns() - start < TOO_LATE;
}

static bool has_spun(void)
{
	bool spun;

	pthread_mutex_lock(&loop_lock);
	spun = loop.spun;
	pthread_mutex_unlock(&loop_lock);
	return spun;
}

static void end_loop(pthread_t thread)
{
	pthread_mutex_lock(&loop_lock);
	loop.over = true;
	pthread_mutex_unlock(&loop_lock);
	pthread_join(thread, NULL);
	alarm(0);
}

static uint64_t change_slot(uint64_t first, uint64_t pages)
{
	uint64_t start = now_ns();

	set_slot(WORK_SLOT, page_gpa(first), pages * PAGE, slot_memory, slot_gmem_fd);
	return now_ns() - start;
}

static void create_slot_vm(const struct slot_kind *kind, int vcpus)
{
	if (kind->plain_vm)
		create_plain_vm(vcpus);
	else
		create_vm(vcpus);
	slot_memory = map_memory(AREA_GPA, SLOT_PAGES * PAGE);
	write_shared_words(slot_memory, 0, SLOT_PAGES);
	/* A memslot with guest_memfd cannot be moved. */
	slot_gmem_fd = kind->private ? create_gmem(vm.fd, SLOT_PAGES * PAGE) : -1;
	change_slot(0, SLOT_PAGES);
	if (kind->private)
		set(0, SLOT_PAGES, true);
}

static void destroy_slot_vm(void)
{
	if (slot_gmem_fd >= 0)
		close(slot_gmem_fd);
	destroy_vm();
}

/* A memslot comes and goes under a vCPU that pre-faults it. */
static void slot_comes_and_goes(const struct slot_kind *kind, unsigned long rounds)
{
	unsigned long round, late = 0;
	uint64_t longest = 0, ns, random = seed_random(rounds);
	pthread_t thread;

	create_slot_vm(kind, 1);
	memset(&loop, 0, sizeof(loop));
	thread = start_thread(loop_pre_faults, NULL);
	for (round = 0; round < rounds && !has_spun(); round++) {
		alarm(SPIN_S);
		late += !grows(&loop.done);
		if (has_spun())
			break;
		/* A call has just ended: any part of the next one is to meet the change. */
		usleep(next_random(&random) % CALL_US);
		ns = kind->moves ? change_slot(AWAY, SLOT_PAGES) : change_slot(0, 0);
		longest = ns > longest ? ns : longest;
		late += ns > TOO_LATE || !grows(&loop.absent);
		ns = change_slot(0, SLOT_PAGES);
		longest = ns > longest ? ns : longest;
		late += ns > TOO_LATE;
	}
	late += !grows(&loop.done);
	end_loop(thread);

	printf("# %lu rounds, %lu calls: %lu done, %lu EAGAIN, %lu ENOENT, longest %" PRIu64
	       " ms; memslot, longest %" PRIu64 " ms\n", round, loop.calls, loop.done, loop.again,
	       loop.absent, (uint64_t)(loop.longest / MS), (uint64_t)(longest / MS));
	ok(!loop.spun && round == rounds, "%s and back %lu times: pre-faults never hang",
	   kind->what, rounds);
	ok(!loop.others, "it is EAGAIN or ENOENT in between (%s)",
	   loop.others ? strerror(loop.other) : "nothing else");
	ok(late + loop.late <= LATE_ROUNDS(rounds),
	   "all of it, and that the memory can be pre-faulted again, within a second each "
	   "(%lu later)", late + loop.late);
	destroy_slot_vm();
}

static void *delete_slot(void *unused)
{
	(void)unused;
	change_slot(0, 0);
	pthread_mutex_lock(&loop_lock);
	loop.deleted = true;
	pthread_cond_broadcast(&loop_changed);
	pthread_mutex_unlock(&loop_lock);
	return NULL;
}

/* Returns whether it takes a signal to end pre-faults of a memslot that is being deleted. */
static bool deletion_spins(const struct slot_kind *kind)
{
	bool spins = false;

	/* It can happen that the vCPU is just not there. */
	for (int i = 0; i < 10 && !spins; i++) {
		pthread_t thread, looping;

		create_slot_vm(kind, 1);
		memset(&loop, 0, sizeof(loop));
		alarm(SPIN_S);
		looping = start_thread(loop_pre_faults, NULL);
		grows(&loop.calls);
		thread = start_thread(delete_slot, NULL);
		pthread_mutex_lock(&loop_lock);
		while (!loop.deleted && !loop.spun)
			pthread_cond_wait(&loop_changed, &loop_lock);
		pthread_mutex_unlock(&loop_lock);
		end_loop(looping);
		pthread_join(thread, NULL);
		spins = loop.spun;
		destroy_slot_vm();
	}
	return spins;
}

/*
 * A vCPU pre-faults a memslot, which is deleted and created again, so that the page tables that the
 * vCPU has are obsolete. Returns what comes of the next pre-fault.
 */
static int pre_fault_recreated(const struct slot_kind *kind, uint64_t first)
{
	check(pre_fault(&vm.vcpus[0], 0, SLOT_PAGES) ? -1 : 0, "KVM_PRE_FAULT_MEMORY");
	change_slot(0, 0);
	write_shared_words(slot_memory, first, SLOT_PAGES);
	change_slot(first, SLOT_PAGES);
	if (kind->private)
		set(first, first + SLOT_PAGES, true);
	return pre_fault_until_alarm(&vm.vcpus[0], first, SLOT_PAGES);
}

static int large_err;
static atomic_bool large_over;

static void *pre_fault_large(void *unused)
{
	(void)unused;
	large_err = pre_fault(&vm.vcpus[0], 0, LARGE_PAGES);
	large_over = true;
	return NULL;
}

/* A memslot of its own does not have to wait until a vCPU is done with another one. */
void test_other_slot(void)
{
	uint8_t *memory = map_memory(AREA_GPA, LARGE_PAGES * PAGE);
	unsigned long long before, after;
	pthread_t thread;
	int gmem_fd;

	create_vm(1);
	before = vm_stat("pages_4k");
	gmem_fd = create_gmem(vm.fd, LARGE_PAGES * PAGE);
	set_slot(WORK_SLOT, AREA_GPA, LARGE_PAGES * PAGE, memory, gmem_fd);
	check(-try_set(vm.fd, 0, LARGE_PAGES, true), "KVM_SET_MEMORY_ATTRIBUTES");
	thread = start_thread(pre_fault_large, NULL);
	while (vm_stat("pages_4k") == before && !large_over)
		;
	set_slot(PLAIN_SLOT, page_gpa(LARGE_PAGES), PAGE, map_memory(AREA_GPA, PAGE), -1);
	after = vm_stat("pages_4k");
	pthread_join(thread, NULL);
	ok(!large_err && after < before + LARGE_PAGES,
	   "a memslot is created while %llu pages of another are pre-faulted: after %llu of them",
	   LARGE_PAGES, after - before);
	close(gmem_fd);
	destroy_vm();
}

void test_slots(void)
{
	const unsigned long rounds = part_numbers[0];

	prepare_alarms();
	for (size_t i = 0; i < ARRAY_SIZE(slot_kinds); i++) {
		const struct slot_kind *kind = &slot_kinds[i];

		for (int away = 0; away < 2 && !kind->moves; away++) {
			uint64_t first = away ? AWAY : 0;
			int err;

			create_slot_vm(kind, 1);
			warm_up(&vm.vcpus[0]);
			err = pre_fault_recreated(kind, first);
			/* The guest's own memory has to be mapped anew, too. */
			warm_up(&vm.vcpus[0]);
			ok(!err && pages_are_ready(&vm.vcpus[0], first, SLOT_PAGES),
			   "%s: a new memslot %s can be pre-faulted at once (%s)", kind->what,
			   away ? "elsewhere" : "there", strerror(err));
			destroy_slot_vm();
		}
		slot_comes_and_goes(kind, rounds);
	}
}

static void show(const char *what, const char *and, int err)
{
	printf("# %s%s: %s\n", what, and, err == EINTR ? "spins until a signal comes" :
	       err && err != EHWPOISON ? strerror(err) : "ends");
}

void show_spins(void)
{
	prepare_alarms();
	for (size_t i = 0; i < ARRAY_SIZE(slot_kinds); i++) {
		const struct slot_kind *kind = &slot_kinds[i];

		if (kind->moves)
			continue;
		show(kind->what, " while it is pre-faulted", deletion_spins(kind) ? EINTR : 0);
		create_slot_vm(kind, 1);
		show(kind->what, ", and created again", pre_fault_recreated(kind, 0));
		destroy_slot_vm();
	}
	show("shared memory poisoned", ", the signal for it blocked", pre_fault_poisoned());
	/* The script knows what has to be said on which kernel. */
	puts("1..0 # SKIP the script looks at what is said");
	exit(EXIT_SUCCESS);
}
