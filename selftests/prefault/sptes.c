// SPDX-License-Identifier: GPL-2.0
/*
 * What KVM_PRE_FAULT_MEMORY puts into the page tables, as KVM's tracepoint tells: no Accessed bits.
 * And no poisoned memory; which pages are private ones, to be poisoned, is known from there as well.
 * Where there is no memory, an entry that KVM knows again as one of MMIO.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "prefault.h"
#include "tap.h"

#define TRACING		"/sys/kernel/tracing/"
#define SPTE_CHANGED	TRACING "events/kvmmmu/kvm_tdp_mmu_spte_changed/enable"

#define SPTE_PFN(spte)	((spte) >> 12 & ((1ull << 40) - 1))

/* Four of the batches that KVM maps at once. */
#define BATCH		64u
#define TRACED_PAGES	(4 * BATCH)

/* The last change of each page's entry. */
static struct {
	bool seen;
	uint64_t old, new;
} changes[TRACED_PAGES];

static void start_trace(void)
{
	write_file(TRACING "trace", "\n");
	write_file(SPTE_CHANGED, "1");
}

/* Fills changes[]. Returns how many of the pages there are in it. */
static unsigned int end_trace(void)
{
	unsigned int count = 0;
	char line[512];
	FILE *file;

	write_file(SPTE_CHANGED, "0");
	memset(changes, 0, sizeof(changes));
	file = fopen(TRACING "trace", "re");
	if (!file)
		err(1, TRACING "trace");
	while (fgets(line, sizeof(line), file)) {
		const char *event = strstr(line, "kvm_tdp_mmu_spte_changed: ");
		unsigned long long gfn, old, new;
		uint64_t page;

		if (!event || sscanf(event, "%*s as id 0 gfn %llx level 1 old_spte %llx new_spte %llx",
				     &gfn, &old, &new) != 3)
			continue;
		page = gfn - page_gpa(0) / PAGE;
		if (page >= TRACED_PAGES)
			continue;
		count += !changes[page].seen;
		changes[page].seen = true;
		changes[page].old = old;
		changes[page].new = new;
	}
	fclose(file);
	return count;
}

/* --- write-protected ----------------------------------------------------- */

#define WRITABLE	(1ull << 1)

unsigned int pre_fault_protected(struct vcpu *vcpu, unsigned int pages, unsigned int *last)
{
	unsigned int count = 0;

	start_trace();
	check(pre_fault(vcpu, 0, pages) ? -1 : 0, "KVM_PRE_FAULT_MEMORY");
	if (end_trace() != pages)
		errx(1, "not all pages are in the trace");
	for (unsigned int page = 0; page < pages; page++) {
		if (!(changes[page].new & WRITABLE)) {
			*last = page;
			count++;
		}
	}
	return count;
}

/* --- accessed ------------------------------------------------------------ */

/* As the processor that KVM runs on has it in its nested page tables. */
static uint64_t accessed_bit(void)
{
	return access("/sys/module/kvm_intel", F_OK) ? 1 << 5 : 1 << 8;
}

void test_accessed(void)
{
	/* Private, shared and private memory, in one run and page by page. */
	const uint64_t shared_first = BATCH, shared_end = 2 * BATCH, bit = accessed_bit();
	struct vcpu *vcpu = &vm.vcpus[0];
	unsigned int count, set_count = 0, read_count = 0, wrong = 0;

	create_vm(1);
	warm_up(vcpu);
	create_work(TRACED_PAGES);
	set(0, TRACED_PAGES, true);
	set(shared_first, shared_end, false);
	start_trace();
	check(pre_fault(vcpu, 0, TRACED_PAGES) ? -1 : 0, "KVM_PRE_FAULT_MEMORY");
	count = end_trace();
	for (unsigned int page = 0; page < TRACED_PAGES; page++)
		set_count += !!(changes[page].new & bit);
	ok(count == TRACED_PAGES && !set_count,
	   "%u pages are pre-faulted: none is marked as accessed (%u)", count, set_count);

	/* That this would be seen: what the guest has read is, when it is unmapped. */
	for (uint64_t page = 0; page < TRACED_PAGES; page += 3)
		vcpu->list[read_count++] = page_gpa(page);
	ok(list_is_right(vcpu, read_count, is_content), "the guest reads every third");
	start_trace();
	set(0, TRACED_PAGES, true);
	set(0, TRACED_PAGES, false);
	count = end_trace();
	for (unsigned int page = 0; page < TRACED_PAGES; page++)
		wrong += !(changes[page].old & bit) != !!(page % 3);
	ok(count == TRACED_PAGES && !wrong, "which are marked when all are unmapped, and only they (%u)",
	   wrong);
}

/* --- MMIO ---------------------------------------------------------------- */

void test_mmio(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	unsigned long long made;

	create_vm(1);
	warm_up(vcpu);
	/* The second makes the vCPU forget what it knows of the first, apart from the entry. */
	ok(pre_fault_ends_with(ENOENT, FAR_PAGE, 1) && pre_fault_ends_with(ENOENT, FAR_PAGE + 1, 1),
	   "no memslot: ENOENT");
	made = vm_stat("pf_mmio_spte_created");
	ok(made == 2, "but entries for MMIO (%llu)", made);
	vcpu->list[0] = page_gpa(FAR_PAGE);
	start_guest(vcpu, guest_read, 1, 0);
	check(ioctl(vcpu->fd, KVM_RUN, NULL), "KVM_RUN");
	ok(vcpu->run->exit_reason == KVM_EXIT_MMIO && vcpu->run->mmio.phys_addr == page_gpa(FAR_PAGE),
	   "the guest reads there: MMIO");
	ok(vm_stat("pf_mmio_spte_created") == made, "by its entry");
}

/* --- poison -------------------------------------------------------------- */

#define CORRUPT		"/sys/kernel/debug/hwpoison/corrupt-pfn"
#define UNPOISON	"/sys/kernel/debug/hwpoison/unpoison-pfn"

#define POISONED	(BATCH + BATCH / 2)	/* in the middle of a batch */
#define HUGE_FIRST	BLOCK_PAGES
#define RACE_ROUNDS	50u
#define RACE_US		2000			/* the vCPU goes around several times */

static volatile sig_atomic_t bus_errors;

static void count_bus_error(int signal)
{
	(void)signal;
	bus_errors++;
}

/* Returns 0 or an errno. */
static int write_pfn(const char *path, uint64_t pfn)
{
	char text[32];

	sprintf(text, "0x%" PRIx64 "\n", pfn);
	return try_write_file(path, text);
}

/* All pages but the poisoned one are mapped, and as they were. */
static bool neighbours_are_ready(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];

	return pages_are_ready(vcpu, 0, POISONED) &
	       pages_are_ready(vcpu, POISONED + 1, TRACED_PAGES - POISONED - 1);
}

/* A range ends before the poisoned page if it has pages before it, and the next call says why. */
static bool stops_at_poison(uint64_t first, uint64_t pages)
{
	struct kvm_pre_fault_memory range = range_of(first, pages);
	int err = first < POISONED ? pre_fault_some(&vm.vcpus[0], &range) : 0;
	const uint64_t left = first + pages - POISONED;

	if (err || !range_is(&range, POISONED, left))
		return complain("pages %lu to %lu: %s", first, first + pages, strerror(err));
	err = pre_fault_some(&vm.vcpus[0], &range);
	return (err == EHWPOISON && range_is(&range, POISONED, left)) ||
	       complain("poisoned: %s", strerror(err));
}

/* The next calls get memory as it was before any call. */
static void unmap(bool private)
{
	set(0, TRACED_PAGES, !private);
	set(0, TRACED_PAGES, private);
}

/* What is said is the same for both kinds of memory, and both kernels if it is private. */
static void test_around_poison(bool private)
{
	const char *how = private ? "private" : "shared";
	unsigned long long pages;

	pages = vm_stat("pages_4k");
	ok(stops_at_poison(0, TRACED_PAGES),
	   "a %s page was poisoned: success up to it, then EHWPOISON, nothing changes", how);
	ok(vm_stat("pages_4k") == pages, "all others are still mapped");
	ok(pre_fault_ends_with(0, POISONED + 1, TRACED_PAGES - POISONED - 1),
	   "the pages behind it: success");
	ok(neighbours_are_ready(), "the guest finds them as they were, without a fault");

	unmap(private);
	pages = vm_stat("pages_4k");
	ok(stops_at_poison(BATCH, BATCH) && vm_stat("pages_4k") == pages + BATCH / 2,
	   "in the middle of %u pages, none of them mapped: just those up to it are", BATCH);
	ok(stops_at_poison(BATCH, 2 * BATCH) && vm_stat("pages_4k") == pages + BATCH / 2,
	   "once more, and beyond them: none is mapped since");
	ok(stops_at_poison(POISONED, BATCH) && stops_at_poison(POISONED, 1) &&
	   vm_stat("pages_4k") == pages + BATCH / 2, "the first of a range: EHWPOISON at once");

	unmap(private);
	pages = vm_stat("pages_4k");
	ok(stops_at_poison(POISONED - BATCH, 2 * BATCH) && vm_stat("pages_4k") == pages + BATCH,
	   "the first of the second %u pages: all of the first are mapped", BATCH);
	ok(stops_at_poison(POISONED - 1, 2) && vm_stat("pages_4k") == pages + BATCH,
	   "what is mapped counts as done, again");
	ok(pre_fault_ends_with(0, 0, POISONED) &&
	   pre_fault_ends_with(0, POISONED + 1, TRACED_PAGES - POISONED - 1) &&
	   vm_stat("pages_4k") == pages + TRACED_PAGES - 1, "all others: success");
	ok(neighbours_are_ready(), "the guest finds them as they were, without a fault");

	/* The other side of the page is good. */
	set(POISONED, POISONED + 1, !private);
	ok(pre_fault_ends_with(0, 0, TRACED_PAGES) && pages_are_ready(&vm.vcpus[0], 0, TRACED_PAGES),
	   "turned to %s memory: success", private ? "shared" : "private");
	set(POISONED, POISONED + 1, private);
	ok(stops_at_poison(0, TRACED_PAGES), "and back: EHWPOISON");
}

static void prepare_poison(int *gmem_fd, uint8_t **shared)
{
	struct sigaction action = { .sa_handler = count_bus_error };

	sigaction(SIGBUS, &action, NULL);
	create_vm(2);
	warm_up(&vm.vcpus[0]);
	*shared = map_memory(AREA_GPA, TRACED_PAGES * PAGE);
	*gmem_fd = create_gmem(vm.fd, TRACED_PAGES * PAGE);
	/* A huge page would be split, and all of it unmapped. */
	madvise(*shared, TRACED_PAGES * PAGE, MADV_NOHUGEPAGE);
	write_shared_words(*shared, 0, TRACED_PAGES);
	set_slot(WORK_SLOT, AREA_GPA, TRACED_PAGES * PAGE, *shared, *gmem_fd);
}

/* All pages get mapped; they were not. Returns where the one is that is to be poisoned. */
static uint64_t map_and_find(void)
{
	start_trace();
	check(pre_fault(&vm.vcpus[0], 0, TRACED_PAGES) ? -1 : 0, "KVM_PRE_FAULT_MEMORY");
	if (end_trace() != TRACED_PAGES)
		errx(1, "not all pages are in the trace");
	return SPTE_PFN(changes[POISONED].new);
}

static struct {
	unsigned long mapped;		/* pre-faults that went through */
	unsigned long stopped;		/* by the poisoned page */
	int other;			/* the errno of others */
	_Atomic bool over;
} race;

/* The vCPU maps the memory again and again. */
static void *race_poison(void *begins)
{
	int err;

	pthread_barrier_wait(begins);
	do {
		unmap(true);
		err = pre_fault(&vm.vcpus[1], 0, TRACED_PAGES);
		race.mapped += !err;
		race.stopped += err == EHWPOISON;
		race.other = err && err != EHWPOISON ? err : race.other;
	} while (!race.over);
	return NULL;
}

/*
 * A page is poisoned while a vCPU is about to map it. If that came too late to be noticed, the page
 * would count as mapped, and be done.
 */
static void test_poison_race(int gmem_fd)
{
	uint64_t random = seed_random(RACE_ROUNDS);
	unsigned long missed = 0, kept = 0;
	pthread_barrier_t begins;
	pthread_t thread;

	pthread_barrier_init(&begins, NULL, 2);
	for (unsigned int i = 0; i < RACE_ROUNDS; i++) {
		uint64_t pfn;
		int err;

		unmap(true);
		pfn = map_and_find();
		race.over = false;
		thread = start_thread(race_poison, &begins);
		pthread_barrier_wait(&begins);
		usleep(next_random(&random) % RACE_US);
		err = write_pfn(CORRUPT, pfn);
		race.over = true;
		pthread_join(thread, NULL);
		missed += (err && err != EBUSY) || !stops_at_poison(0, TRACED_PAGES);
		punch(gmem_fd, POISONED, 1);
		kept += !!write_pfn(UNPOISON, pfn);
	}
	printf("# %lu pre-faults before it, %lu stopped by it; %lu pages remain poisoned\n",
	       race.mapped, race.stopped, kept);
	ok(race.mapped && race.stopped && !race.other && !missed,
	   "poisoned while it is pre-faulted, %u times: EHWPOISON from then on (%lu missed, %s)",
	   RACE_ROUNDS, missed, strerror(race.other));
	ok(pre_fault_ends_with(0, 0, TRACED_PAGES) &&
	   pages_are_ready(&vm.vcpus[0], 0, TRACED_PAGES), "the guest finds its memory as it was");
}

void test_poisoned_private(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	unsigned long long pages;
	uint8_t *shared;
	uint64_t pfn;
	int gmem_fd, err;

	if (access(CORRUPT, F_OK)) {
		skip("poisoned private memory", "the kernel has no CONFIG_HWPOISON_INJECT");
		return;
	}
	prepare_poison(&gmem_fd, &shared);
	set(0, TRACED_PAGES, true);
	pfn = map_and_find();
	write_private(vcpu, 0, TRACED_PAGES);

	pages = vm_stat("pages_4k");
	/* EBUSY: that the page is kept, which guest_memfd leaves to userspace, is not a recovery. */
	err = write_pfn(CORRUPT, pfn);
	ok((!err || err == EBUSY) && vm_stat("pages_4k") == pages - 1,
	   "page 0x%" PRIx64 " is poisoned (%s) and unmapped", pfn, strerror(err));
	test_around_poison(true);

	punch(gmem_fd, POISONED, 1);
	ok(pre_fault_ends_with(0, 0, TRACED_PAGES) && pages_are_ready(vcpu, 0, TRACED_PAGES),
	   "a hole is punched: success, there is a new page, of zeroes");
	ok(!bus_errors, "there was no SIGBUS");
	err = write_pfn(UNPOISON, pfn);
	printf("# page 0x%" PRIx64 " can be used again: %s\n", pfn, strerror(err));
	test_poison_race(gmem_fd);
}

/* Returns 0 or an errno. */
static int poison(uint8_t *page)
{
	int err = madvise(page, PAGE, MADV_HWPOISON) ? errno : 0;

	/* Whoever has such a page mapped gets a signal at once, which KVM has nothing to do with. */
	bus_errors = 0;
	return err;
}

/* Of a huge page, which is split, and which KVM has mapped as one. */
static void test_poisoned_huge(void)
{
	uint8_t *memory = map_memory(page_gpa(HUGE_FIRST), BLOCK_PAGES * PAGE);
	struct kvm_pre_fault_memory range = range_of(HUGE_FIRST, BLOCK_PAGES);
	const uint64_t poisoned = HUGE_FIRST + POISONED, behind = BLOCK_PAGES - POISONED;
	struct vcpu *vcpu = &vm.vcpus[0];
	int err;

	madvise(memory, BLOCK_PAGES * PAGE, MADV_HUGEPAGE);
	write_shared_words(memory, HUGE_FIRST, BLOCK_PAGES);
	set_slot(PLAIN_SLOT, page_gpa(HUGE_FIRST), BLOCK_PAGES * PAGE, memory, -1);
	check(pre_fault(vcpu, HUGE_FIRST, BLOCK_PAGES) ? -1 : 0, "KVM_PRE_FAULT_MEMORY");
	printf("# %llu huge pages are mapped\n", vm_stat("pages_2m"));
	check(poison(memory + POISONED * PAGE) ? -1 : 0, "madvise");
	ok(!vm_stat("pages_2m"), "a page of a huge page is poisoned, and that unmapped");
	err = pre_fault_some(vcpu, &range);
	ok(!err && range_is(&range, poisoned, behind) &&
	   pre_fault_some(vcpu, &range) == EHWPOISON && range_is(&range, poisoned, behind),
	   "success up to it, then EHWPOISON");
	ok(pre_fault_ends_with(0, poisoned + 1, behind - 1) &&
	   pages_are_ready(vcpu, HUGE_FIRST, POISONED) &&
	   pages_are_ready(vcpu, poisoned + 1, behind - 1),
	   "the guest finds the others as they were, without a fault");
}

void test_poisoned_shared(void)
{
	struct vcpu *vcpu = &vm.vcpus[0];
	unsigned long long pages;
	uint8_t *shared;
	int gmem_fd, err;

	prepare_poison(&gmem_fd, &shared);
	set(0, TRACED_PAGES, true);
	write_private(vcpu, 0, TRACED_PAGES);
	set(0, TRACED_PAGES, false);
	check(pre_fault(vcpu, 0, TRACED_PAGES) ? -1 : 0, "KVM_PRE_FAULT_MEMORY");
	pages = vm_stat("pages_4k");
	err = poison(shared + POISONED * PAGE);
	if (err) {
		skip("poisoned shared memory", "madvise(MADV_HWPOISON): %s, the kernel has no "
		     "CONFIG_MEMORY_FAILURE", strerror(err));
		return;
	}
	ok(vm_stat("pages_4k") == pages - 1, "a page is poisoned and unmapped");
	test_around_poison(false);

	if (mmap(shared + POISONED * PAGE, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		failed("mmap");
	write_shared_words(shared + POISONED * PAGE, POISONED, 1);
	ok(pre_fault_ends_with(0, 0, TRACED_PAGES) && pages_are_ready(vcpu, 0, TRACED_PAGES),
	   "other memory is mapped there: success");
	test_poisoned_huge();
	ok(!bus_errors, "there was no SIGBUS");
}

int pre_fault_poisoned(void)
{
	const struct timespec no_time = { 0 };
	sigset_t bus, before;
	uint8_t *shared;
	int gmem_fd, err;

	prepare_poison(&gmem_fd, &shared);
	err = poison(shared + POISONED * PAGE);
	if (err) {
		printf("# madvise(MADV_HWPOISON): %s\n", strerror(err));
		return err;
	}
	sigemptyset(&bus);
	sigaddset(&bus, SIGBUS);
	sigprocmask(SIG_BLOCK, &bus, &before);
	err = pre_fault_until_alarm(&vm.vcpus[0], POISONED, 1);
	while (sigtimedwait(&bus, NULL, &no_time) == SIGBUS)
		printf("# with a SIGBUS\n");
	sigprocmask(SIG_SETMASK, &before, NULL);
	destroy_vm();
	return err;
}
