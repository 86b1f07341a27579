// SPDX-License-Identifier: GPL-2.0
/*
 * A VM by hand whose guest walks through its memory: does what standard input says, a command a line,
 * with one line of answer each.
 *
 *	walk [PAGES [VCPU [FILE]]]	that much memory, 1 GiB if not said, shared at first; vCPUs
 *				before this one exist, but never run; shared memory is this file
 *	private FIRST PAGES	KVM_SET_MEMORY_ATTRIBUTES: "ok" or an errno's name
 *	shared FIRST PAGES
 *				Conversions are those of KVM_SET_MEMORY_ATTRIBUTES2 if KVM converts in place
 *	before GAP PAGES	as private, but of the GAP pages before its memory, too
 *	more PAGES		a memslot of private memory right behind its own
 *	split PAGES		two memslots in the place of its own, the first with so many pages
 *	allocate FIRST PAGES	of guest_memfd
 *	punch FIRST PAGES
 *	prefault FIRST PAGES	KVM_PRE_FAULT_MEMORY, as often as it takes
 *	read FIRST PAGES	the guest reads them, or writes to them in order
 *	write FIRST PAGES
 *	every STEP FIRST PAGES	it reads every STEP-th of them
 *	signals US STEP FIRST PAGES	as every, with a signal every so often
 *	signalled		it is about to go on, but a signal is pending
 *	random SEED COUNT	it reads so many of all pages at random
 *	accept FIRST PAGES	2 MiB at a time: they become private, are written to, and read
 *
 * The last seven, and prefault, say "FAULTS MAPPED TOUCHED": faults that the guest took, by how many
 * mapped pages there are more now, and how many pages, each counted once, the guest has touched. Or
 * "wrong", if the guest found something else than it should. Pages count from 0. At first it says
 * "vms FD", the VM's descriptor. It ends with its input.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

#include "page_guest.h"

static uint64_t pages = GIB_PAGES;
static int gmem_fd;
static void *shared_memory;
static bool in_place;
static struct vcpu *vcpu;

/* What is known of each page; shared and private memory have been written to or not. */
static struct {
	bool private, written[2], touched;
} known[GIB_PAGES];

/* The guest goes through what is in its list. */
static bool go(const char *entry, unsigned int count, bool private)
{
	bool right = true;

	run_list(vcpu, entry, count, private ? PRIVATE_TAG : SHARED_TAG);
	for (unsigned int i = 0; i < count; i++) {
		uint64_t page = (vcpu->list[i] - AREA_GPA) / PAGE;

		known[page].touched = true;
		if (entry == guest_write)
			known[page].written[private] = true;
		else if (known[page].written[known[page].private])
			right &= is_own_word(vcpu->list[i], vcpu->found[i], known[page].private);
		else
			right &= !vcpu->found[i];
	}
	return right;
}

/* The pages that a list is made of, in turns. */
static bool go_through(const char *entry, uint64_t first, uint64_t count, uint64_t step)
{
	bool right = true;

	for (int private = 0; private < 2; private++) {
		unsigned int n = 0;

		/* Reading does not care, and is in order. */
		if (entry == guest_read && private)
			break;
		for (uint64_t page = first; page < first + count; page += step) {
			if (entry == guest_read || known[page].private == private)
				vcpu->list[n++] = page_gpa(page);
			if (n == LIST_WORDS) {
				right &= go(entry, n, private);
				n = 0;
			}
		}
		if (n)
			right &= go(entry, n, private);
	}
	return right;
}

static bool go_at_random(uint64_t seed, uint64_t count)
{
	uint64_t random = seed_random(seed);
	bool right = true;

	while (count) {
		unsigned int n;

		for (n = 0; n < LIST_WORDS && count; n++, count--)
			vcpu->list[n] = page_gpa(next_random(&random) % pages);
		right &= go(guest_read, n, false);
	}
	return right;
}

static int convert(uint64_t first, uint64_t count, bool private)
{
	int err = in_place ? try_convert(gmem_fd, first * PAGE, count * PAGE, private ? PRIVATE : 0,
					 NULL) :
			     try_set(vm.fd, first, first + count, private);

	/* In place there is one page of memory, which keeps what was written to it. */
	for (uint64_t page = first; !err && page < first + count; page++)
		known[page].private = private && !in_place;
	return err;
}

static int convert_from_before(uint64_t gap, uint64_t count)
{
	int err = try_set(vm.fd, -gap, count, true);

	for (uint64_t page = 0; !err && page < count; page++)
		known[page].private = true;
	return err;
}

static int add_more(uint64_t count)
{
	set_slot(PLAIN_SLOT, page_gpa(pages), count * PAGE,
		 map_memory(page_gpa(pages), count * PAGE), create_gmem(vm.fd, count * PAGE));
	return try_set(vm.fd, pages, pages + count, true);
}

/* Both are of the same guest_memfd. */
static int split(uint64_t first)
{
	set_slot(WORK_SLOT, AREA_GPA, 0, shared_memory, -1);
	set_slot(WORK_SLOT, AREA_GPA, first * PAGE, shared_memory, gmem_fd);
	return try_set_gmem_slot(vm.fd, PLAIN_SLOT, page_gpa(first), (pages - first) * PAGE,
				 (char *)shared_memory + first * PAGE, gmem_fd, first * PAGE);
}

static bool accept_memory(uint64_t first, uint64_t count)
{
	for (uint64_t end = first + count; first < end; first += BLOCK_PAGES)
		if (convert(first, BLOCK_PAGES, true) ||
		    !go_through(guest_write, first, BLOCK_PAGES, 1) ||
		    !go_through(guest_read, first, BLOCK_PAGES, 1))
			return false;
	return true;
}

static int allocate(uint64_t first, uint64_t count, int flags)
{
	if (fallocate(gmem_fd, flags | FALLOC_FL_KEEP_SIZE, first * PAGE, count * PAGE))
		return errno;
	/* In place, the file is what shared pages are in as well, see convert(). */
	for (uint64_t page = first; flags && page < first + count; page++)
		known[page].written[!in_place] = false;
	return 0;
}

static void ignore_signal(int signal)
{
	(void)signal;
}

static bool go_through_signals(uint64_t us, uint64_t step, uint64_t first, uint64_t count)
{
	struct itimerval timer = { { 0, us }, { 0, us } };
	bool right;

	check(setitimer(ITIMER_REAL, &timer, NULL), "setitimer");
	right = go_through(guest_read, first, count, step);
	timer = (struct itimerval) { 0 };
	check(setitimer(ITIMER_REAL, &timer, NULL), "setitimer");
	return right;
}

/* A signal that only KVM_RUN unblocks is pending when it begins, whatever else happens. */
static bool enter_signalled(void)
{
	struct kvm_signal_mask *none = calloc(1, sizeof(*none) + sizeof(uint64_t));
	const struct timespec no_time = { 0 };
	sigset_t alarms, before;
	bool ended;

	if (!none)
		err(1, "calloc");
	none->len = sizeof(uint64_t);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarms, &before);
	check(ioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, none), "KVM_SET_SIGNAL_MASK");
	check(raise(SIGALRM) ? -1 : 0, "raise");
	ended = ioctl(vcpu->fd, KVM_RUN, 0) && errno == EINTR;
	check(ioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, NULL), "KVM_SET_SIGNAL_MASK");
	ended &= sigtimedwait(&alarms, NULL, &no_time) == SIGALRM;
	sigprocmask(SIG_SETMASK, &before, NULL);
	free(none);
	return ended;
}

static void answer_errno(int err)
{
	printf("%s\n", err ? strerrorname_np(err) : "ok");
}

static unsigned long long faults, mapped;

static void measure(void)
{
	faults = vm_stat("pf_taken");
	mapped = vm_stat("pages_4k");
}

static void answer(bool right)
{
	unsigned long long faults_before = faults, mapped_before = mapped, touched = 0;

	measure();
	for (uint64_t page = 0; page < pages; page++)
		touched += known[page].touched;
	if (right)
		printf("%lld %lld %lld\n", faults - faults_before, mapped - mapped_before, touched);
	else
		printf("wrong\n");
}

static bool is_range(uint64_t first, uint64_t count)
{
	return count && first < pages && count <= pages - first;
}

static void command(const char *line)
{
	unsigned long long a, b, step, us;

	measure();
	if (sscanf(line, "random %llu %llu", &a, &b) == 2)
		answer(go_at_random(a, b));
	else if (sscanf(line, "signals %llu %llu %llu %llu", &us, &step, &a, &b) == 4 && us && step &&
		 is_range(a, b))
		answer(go_through_signals(us, step, a, b));
	else if (!strcmp(line, "signalled\n"))
		answer(enter_signalled());
	else if (sscanf(line, "more %llu", &a) == 1 && a)
		answer_errno(add_more(a));
	else if (sscanf(line, "split %llu", &a) == 1 && a && a < pages)
		answer_errno(split(a));
	else if (sscanf(line, "every %llu %llu %llu", &step, &a, &b) == 3 && step && is_range(a, b))
		answer(go_through(guest_read, a, b, step));
	else if (sscanf(line, "%*s %llu %llu", &a, &b) != 2 || !is_range(a, b))
		printf("EINVAL\n");
	else if (!strncmp(line, "private ", 8))
		answer_errno(convert(a, b, true));
	else if (!strncmp(line, "shared ", 7))
		answer_errno(convert(a, b, false));
	else if (!strncmp(line, "before ", 7))
		answer_errno(convert_from_before(a, b));
	else if (!strncmp(line, "allocate ", 9))
		answer_errno(allocate(a, b, 0));
	else if (!strncmp(line, "punch ", 6))
		answer_errno(allocate(a, b, FALLOC_FL_PUNCH_HOLE));
	else if (!strncmp(line, "prefault ", 9))
		answer(!try_pre_fault_all(vcpu->fd, page_gpa(a), b * PAGE));
	else if (!strncmp(line, "read ", 5))
		answer(go_through(guest_read, a, b, 1));
	else if (!strncmp(line, "write ", 6))
		answer(go_through(guest_write, a, b, 1));
	else if (!strncmp(line, "accept ", 7) && !(b % BLOCK_PAGES))
		answer(accept_memory(a, b));
	else
		printf("ENOSYS\n");
}

/* What is shared of it. */
static void *map_shared(const char *path)
{
	int fd = check(open(path, O_RDWR | O_CREAT, 0600), path);

	check(ftruncate(fd, pages * PAGE), path);
	return map_file(fd, pages * PAGE, MAP_SHARED);
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = ignore_signal, .sa_flags = SA_RESTART };
	unsigned long id = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;
	char line[200];

	if (argc > 1)
		pages = strtoull(argv[1], NULL, 0);
	if (argc > 4 || !pages || pages > GIB_PAGES || id >= VCPUS) {
		fprintf(stderr, "usage: walk [PAGES [VCPU [FILE]]]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGALRM, &action, NULL);
	create_vm(id + 1);
	vcpu = &vm.vcpus[id];
	in_place = converts_in_place();
	gmem_fd = check(try_create_gmem(vm.fd, pages * PAGE, in_place ? GUEST_MEMFD_FLAG_MMAP |
					GUEST_MEMFD_FLAG_INIT_SHARED : 0), "KVM_CREATE_GUEST_MEMFD");
	shared_memory = argc > 3 ? map_shared(argv[3]) : map_memory(AREA_GPA, pages * PAGE);
	set_slot(WORK_SLOT, AREA_GPA, pages * PAGE, shared_memory, gmem_fd);
	warm_up(vcpu);

	printf("vms %d\n", vm.fd);
	while (fgets(line, sizeof(line), stdin))
		command(line);
	return 0;
}
