// SPDX-License-Identifier: GPL-2.0
/*
 * Writes what memattr-top would record of a host that is made up:
 *
 *	record-size BUSY SECONDS INTERVAL
 *
 * Of 100 VMs with 4 vCPUs each, BUSY have 2,900 exits and some 500 conversions a second, and the others have 40 exits.
 * Rates vary by 30 %, times are spread as those of real exits are, and a run has the same numbers each time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "figures.h"
#include "record.h"

#define VMS		100
#define PARTS		16
#define IDLE_PERCENT	2
#define CONVERSIONS	500
#define NS_PER_S	1000000000ULL

/* What a VM has of one kind, each second. */
static const struct kind {
	enum top_part_kind kind;
	long part;
	unsigned int rate;
	unsigned int us;	/* that one takes; 0: it has no time of its own */
	bool idle;		/* a VM that is not busy has it, too */
} kinds[PARTS] = {
	{ PART_VCPU, 0, 800, 30, true },
	{ PART_VCPU, 1, 800, 30, true },
	{ PART_VCPU, 2, 700, 30, true },
	{ PART_VCPU, 3, 600, 30, true },
	{ PART_EXIT, PART_EXIT_OF(REASON_SVM, 0x400), 900, 8, false },	/* npf */
	{ PART_EXIT, PART_EXIT_OF(REASON_SVM, 0x7c), 900, 2, true },	/* msr */
	{ PART_EXIT, PART_EXIT_OF(REASON_SVM, 0x60), 500, 4, true },	/* interrupt */
	{ PART_EXIT, PART_EXIT_OF(REASON_SVM, 0x78), 400, 900, true },	/* hlt */
	{ PART_EXIT, PART_EXIT_OF(REASON_SVM, 0x81), 500, 40, false },	/* hypercall */
	{ PART_EXIT, PART_EXIT_OF(REASON_SVM, 0x7b), 100, 25, true },	/* io */
	{ PART_EXIT, PART_EXIT_OF(REASON_USER, 2), 100, 0, false },
	{ PART_EXIT, PART_EXIT_OF(REASON_USER, 3), 500, 0, false },
	{ PART_FAULT, PART_FAULT_OF(0, 1), 400, 6, false },
	{ PART_FAULT, PART_FAULT_OF(0, 2), 30, 9, false },
	{ PART_FAULT, PART_FAULT_OF(1, 1), 400, 7, false },
	{ PART_FAULT, PART_FAULT_OF(1, 2), 20, 7, false },
};

/* Totals so far. */
static struct guest {
	struct top_vm vm;
	struct top_part parts[PARTS];
	struct chain_links links, worst[CHAIN_WORST_MAX];
	__u64 latency[2 + PARTS][TOP_BUCKETS];	/* of conversions, of zaps, and of each part */
} guests[VMS];

static unsigned long vary(unsigned long mean)
{
	return mean * (0.7 + 0.6 * drand48());
}

/* Few take much longer than most. Returns the sum. */
static uint64_t add_times(__u64 *buckets, unsigned long count, unsigned int us)
{
	uint64_t sum = 0;

	for (unsigned long i = 0; i < count; i++) {
		double ns = 1000.0 * us;

		for (int k = 0; k < 4; k++)
			ns *= 0.6 + 0.9 * drand48();
		if (drand48() < 0.02)
			ns *= 20 * drand48();
		buckets[h2_bucket(ns) < TOP_BUCKETS ? h2_bucket(ns) : TOP_BUCKETS - 1]++;
		sum += ns;
	}
	return sum;
}

static void add_links(struct chain_links *links, unsigned long count)
{
	links->conversions += count;
	links->exits += count;
	links->zaps += count;
	links->refaults += count;
	links->exit_ns += vary(count * 40000);
	links->convert_ns += vary(count * 6000);
	links->zap_ns += vary(count * 3000);
	links->refault_ns += vary(count * 6000);
	links->wait_ns += vary(count * 90000);
}

static void convert(struct guest *guest, unsigned long count)
{
	struct numbers *n = &guest->vm.numbers;

	n->to_private += count / 2;
	n->to_shared += count - count / 2;
	n->by_ioctl += count;
	n->undone += count;
	n->requested_pages += 4 * count;
	n->effective_pages += 4 * count;
	n->zap_pages += 4 * count;
	n->zaps += count;
	n->latency_ns += add_times(guest->latency[0], count, 9);
	n->zap_ns += add_times(guest->latency[1], count, 3);
	n->policy_calls += count;
	n->policy_ns += vary(200 * count);
	guest->vm.gmem_private_pages = guest->vm.private_pages = 900000 + vary(1000);
	add_links(&guest->links, count);
	for (int i = 0; i < CHAIN_WORST_MAX; i++)
		add_links(&guest->worst[i], vary(count / 500));
}

static void run(struct guest *guest, bool busy, unsigned int seconds)
{
	for (int i = 0; i < PARTS; i++) {
		struct part_numbers *n = &guest->parts[i].numbers;
		unsigned long count = vary(kinds[i].rate * seconds * (busy ? 100 : IDLE_PERCENT) / 100);

		if (!busy && !kinds[i].idle)
			continue;
		n->count += count;
		n->ns += add_times(guest->latency[2 + i], kinds[i].us ? count : 0, kinds[i].us);
		guest->vm.numbers.exits += kinds[i].kind == PART_VCPU ? count : 0;
	}
	if (busy)
		convert(guest, vary(CONVERSIONS * seconds));
}

static void begin(struct guest *guest, int number)
{
	struct snapshot_vm *vm = &guest->vm.vm;

	*vm = (struct snapshot_vm){ .birth = number + 1, .id = number + 1, .pid = 10000 + number,
				    .creator_tid = 10000 + number, .fd = 12, .comm = "qemu-system-x86" };
	snprintf(vm->name, sizeof(vm->name), "instance-%08x", number);
	snprintf(vm->cgroup, sizeof(vm->cgroup), "/machine.slice/machine-qemu-%d-instance.scope", number);
	strcpy(guest->vm.policy, "ratelimit");
	guest->vm.policy_known = true;
	guest->vm.budget_us = 50;
	guest->vm.gmem_pages = 1 << 20;
	for (int i = 0; i < PARTS; i++)
		guest->parts[i] = (struct top_part){ .birth = number + 1, .kind = kinds[i].kind, .part = kinds[i].part };
}

static void add_to(struct snapshot *s, const struct guest *guest)
{
	struct top_vm *vm = snapshot_add(s, LIST_VMS);
	struct chain_item *chain = snapshot_add(s, LIST_CHAINS);

	*vm = guest->vm;
	histogram_set_first(&vm->latency, guest->latency[0], TOP_BUCKETS);
	histogram_set_first(&vm->zap_latency, guest->latency[1], TOP_BUCKETS);
	*chain = (struct chain_item){ .birth = vm->vm.birth, .links = guest->links };
	for (int i = 0; i < PARTS; i++) {
		struct top_part *part = guest->parts[i].numbers.count ? snapshot_add(s, LIST_PARTS) : NULL;

		if (!part)
			continue;
		*part = guest->parts[i];
		histogram_set_first(&part->latency, guest->latency[2 + i], TOP_BUCKETS);
	}
	for (int i = 0; i < CHAIN_WORST_MAX && guest->links.conversions; i++) {
		struct chain_worst *worst = snapshot_add(s, LIST_CHAIN_WORSTS);

		*worst = (struct chain_worst){ .birth = vm->vm.birth, .gfn_start = 0x100000 + i * 64,
					       .gfn_end = 0x100004 + i * 64, .links = guest->worst[i] };
	}
}

static struct snapshot *snapshot_after(unsigned int seconds)
{
	struct snapshot *s = snapshot_new(top_lists, LIST_COUNT);

	s->time_ns = (1000 + seconds) * NS_PER_S + vary(100000);
	s->wall = 1795000000 + seconds;
	s->measured = ~0U;
	s->cost = (struct snapshot_cost){ .known = true, .ns = vary(3000000) * seconds, .runs = 12345 * seconds };
	for (int i = 0; i < VMS; i++)
		add_to(s, &guests[i]);
	snapshot_sort(s);
	return s;
}

int main(int argc, char **argv)
{
	const struct tool tool = { TOOL_TABLES("memattr-top", top_lists) };
	struct snapshot *before = NULL, *now;
	int busy, seconds, interval;

	if (argc != 4 || (interval = atoi(argv[3])) <= 0) {
		fprintf(stderr, "usage: record-size BUSY SECONDS INTERVAL\n");
		return 2;
	}
	busy = atoi(argv[1]);
	seconds = atoi(argv[2]);
	srand48(1);
	for (int i = 0; i < VMS; i++)
		begin(&guests[i], i);
	for (int at = 0; at < seconds; at += interval) {
		for (int i = 0; i < VMS; i++)
			run(&guests[i], i < busy, interval);
		now = snapshot_after(at);
		if (!before)
			record_write_header(stdout, &tool, now);
		record_write(stdout, before, now);
		snapshot_free(before);
		before = now;
	}
	snapshot_free(before);
	return 0;
}
