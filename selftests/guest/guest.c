// SPDX-License-Identifier: GPL-2.0
/*
 * The code that runs inside the guest: 64-bit, identity mapped, one vCPU per instance, no
 * interrupts and no data but what guest-abi.h describes. It asks for conversions by hypercall,
 * fills the pages and checks them.
 */
#include "guest-abi.h"

#define HC_MAP_GPA_RANGE	12	/* KVM_HC_MAP_GPA_RANGE */
#define MAP_ENCRYPTED		(1u << 4)
#define EAGAIN			11

/*
 * A refused conversion is tried again after 50 us, 100 us ... 10 ms, for ten seconds at most:
 * long enough for a policy that lets one conversion through every second.
 */
#define BACKOFF_MIN_US		50
#define BACKOFF_MAX_US		10000
#define RETRIES_MAX		1000

/*
 * To read a dropped shared page before it is written costs a fault of its own, which real guests
 * do not take: only one in so many is checked.
 */
#define CHECK_ZEROS_EVERY	16

/* ping-pong exchanges data with the host and checks the common chunk once in so many flips. */
#define PING_PONG_CHECK_EVERY	64

struct guest {
	struct guest_vcpu *vcpu;
	struct page_state *states;
	uint64_t random_state;
	uint32_t generation;
	uint32_t dropped_pages;		/* shared pages that were to be zeros */
};

static void ring(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static int64_t map_gpa_range(struct guest *g, uint64_t gpa, uint64_t pages, bool private)
{
	uint64_t attrs = private ? MAP_ENCRYPTED : 0;
	int64_t ret;

	if (g->vcpu->use_vmmcall)
		asm volatile("vmmcall" : "=a"(ret)
			     : "a"(HC_MAP_GPA_RANGE), "b"(gpa), "c"(pages), "d"(attrs) : "memory");
	else
		asm volatile("vmcall" : "=a"(ret)
			     : "a"(HC_MAP_GPA_RANGE), "b"(gpa), "c"(pages), "d"(attrs) : "memory");
	return ret;
}

static uint64_t random_u64(struct guest *g)
{
	g->random_state += 0x9e3779b97f4a7c15ull;
	return mix64(g->random_state);
}

/* Pages are named by their index in the work memory. */
static uint64_t gpa_of(uint64_t page)
{
	return WORK_GPA + page * GUEST_PAGE_SIZE;
}

static volatile uint64_t *word_at(uint64_t page, unsigned int line)
{
	return (volatile uint64_t *)(gpa_of(page) + word_offset(line));
}

static uint32_t *tag_at(struct guest *g, uint64_t page)
{
	struct page_state *state = &g->states[page];

	return state->private ? &state->private_tag : &state->shared_tag;
}

static void check_page(struct guest *g, uint64_t page)
{
	struct guest_vcpu *v = g->vcpu;
	uint32_t tag = *tag_at(g, page);

	for (unsigned int line = 0; line < LINES_PER_PAGE; line++) {
		uint64_t gpa = gpa_of(page) + word_offset(line);
		uint64_t expected = pattern(v->seed, gpa, tag);
		uint64_t found = *word_at(page, line);

		if (found == expected)
			continue;
		v->mismatch.gpa = gpa;
		v->mismatch.expected = expected;
		v->mismatch.found = found;
		v->mismatch.tag = tag;
		v->mismatch.private = g->states[page].private;
		for (;;)
			ring(PORT_MISMATCH, 0);
	}
	v->verified_pages++;
}

static void check_before_write(struct guest *g, uint64_t page)
{
	bool dropped = !g->states[page].private && !*tag_at(g, page);

	if (!dropped || g->dropped_pages++ % CHECK_ZEROS_EVERY == 0)
		check_page(g, page);
}

static void write_page(struct guest *g, uint64_t page, uint32_t tag)
{
	for (unsigned int line = 0; line < LINES_PER_PAGE; line++) {
		uint64_t gpa = gpa_of(page) + word_offset(line);

		*word_at(page, line) = pattern(g->vcpu->seed, gpa, tag);
	}
	*tag_at(g, page) = tag;
}

static uint32_t next_generation(struct guest *g)
{
	g->generation = g->generation % TAG_MAX_GENERATION + 1;
	return g->generation;
}

/* What is there is right; new content goes in and comes back. All pages are on the same side. */
static void touch(struct guest *g, uint64_t first, uint64_t pages)
{
	uint64_t step = g->vcpu->touch_every;
	uint32_t tag = tag_of(next_generation(g),
			      g->states[first].private ? GUEST_PRIVATE : GUEST_REQUEST);

	for (uint64_t i = 0; i < pages; i += step) {
		check_before_write(g, first + i);
		write_page(g, first + i, tag);
	}
	for (uint64_t i = 0; i < pages; i += step)
		check_page(g, first + i);
}

static void check_written(struct guest *g, uint64_t first, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		if (*tag_at(g, first + i))
			check_page(g, first + i);
}

/* Content from before the conversion that made these pages shared; the host has not answered it. */
static bool private_content_came_along(struct guest *g, uint64_t first)
{
	uint32_t tag = *tag_at(g, first);

	return g->vcpu->in_place && tag && writer_of(tag) == GUEST_PRIVATE;
}

/*
 * The host finds in the shared pages what the guest wrote, the guest finds the host's answer. In
 * place the host must find what was written while the pages were private.
 */
static void exchange(struct guest *g, uint64_t first, uint64_t pages)
{
	struct guest_vcpu *v = g->vcpu;

	if (!private_content_came_along(g, first))
		touch(g, first, pages);
	v->exchange.gpa = gpa_of(first);
	v->exchange.pages = pages;
	v->exchange.tag = *tag_at(g, first);
	ring(PORT_EXCHANGE, 0);
	for (uint64_t i = 0; i < pages; i++)
		*tag_at(g, first + i) = v->exchange.tag;
	check_written(g, first, pages);
}

static bool goes_on(const struct guest *g)
{
	return !g->vcpu->stop && g->vcpu->asked < g->vcpu->conversions;
}

static void note_conversion(struct guest *g, uint64_t page, bool private)
{
	struct page_state *state = &g->states[page];
	uint32_t tag = *tag_at(g, page);

	state->private = private;
	if (g->vcpu->in_place)
		*tag_at(g, page) = tag;
	else if (!g->vcpu->keep && private)
		state->shared_tag = 0;
	else if (!g->vcpu->keep)
		state->private_tag = 0;
}

/* False: refused, everything is as it was. */
static bool convert(struct guest *g, uint64_t first, uint64_t pages, bool private)
{
	struct guest_vcpu *v = g->vcpu;
	uint32_t backoff_us = BACKOFF_MIN_US;
	int64_t ret;

	v->asked++;
	for (int retries = 0; ; retries++) {
		ret = map_gpa_range(g, gpa_of(first), pages, private);
		if (ret != -EAGAIN)
			break;
		if (retries == RETRIES_MAX || v->stop) {
			v->gave_up++;
			break;
		}
		ring(PORT_BACKOFF, backoff_us);
		backoff_us = backoff_us * 2 < BACKOFF_MAX_US ? backoff_us * 2 : BACKOFF_MAX_US;
	}
	if (ret)
		return false;

	for (uint64_t i = first; i < first + pages; i++)
		note_conversion(g, i, private);
	return true;
}

/* The first page of a chunk, and how many pages it has: the last one may be cut off. */
static uint64_t chunk_start(const struct guest *g, uint64_t chunk)
{
	return chunk * g->vcpu->chunk_pages;
}

static uint64_t chunk_size(const struct guest *g, uint64_t chunk)
{
	uint64_t left = g->vcpu->work_pages - chunk_start(g, chunk);

	return left < g->vcpu->chunk_pages ? left : g->vcpu->chunk_pages;
}

static uint64_t chunk_count(const struct guest *g)
{
	return (g->vcpu->work_pages + g->vcpu->chunk_pages - 1) / g->vcpu->chunk_pages;
}

/*
 * Chunks are dealt out in turn, so that vCPUs work side by side in the same 2 MiB block but never
 * on the same page.
 */
static uint64_t random_own_chunk(struct guest *g)
{
	const struct guest_vcpu *v = g->vcpu;
	uint64_t own = (chunk_count(g) - v->id + v->vcpus - 1) / v->vcpus;

	return v->id + v->vcpus * (random_u64(g) % own);
}

/* A chunk that was not converted just now has kept its content. */
static void check_bystander(struct guest *g)
{
	uint64_t chunk = random_own_chunk(g);

	check_written(g, chunk_start(g, chunk), chunk_size(g, chunk));
}

/* All memory starts shared. Each vCPU accepts its own contiguous part, once. */
static void run_boot_accept(struct guest *g)
{
	const struct guest_vcpu *v = g->vcpu;
	uint64_t chunks = chunk_count(g);

	for (uint64_t c = chunks * v->id / v->vcpus; c < chunks * (v->id + 1) / v->vcpus; c++) {
		if (!goes_on(g))
			return;
		convert(g, chunk_start(g, c), chunk_size(g, c), true);
		touch(g, chunk_start(g, c), chunk_size(g, c));
	}
}

/* A buffer is made shared, goes to the host and back, and is made private again. */
static void bounce(struct guest *g, uint64_t chunk)
{
	uint64_t first = chunk_start(g, chunk);
	uint64_t pages = chunk_size(g, chunk);

	/* It may still be shared, where the way back was refused. */
	if (g->states[first].private) {
		if (!g->states[first].private_tag)
			touch(g, first, pages);
		if (!convert(g, first, pages, false)) {
			check_written(g, first, pages);
			return;
		}
	}
	exchange(g, first, pages);
	if (!goes_on(g))
		return;
	if (convert(g, first, pages, true))
		touch(g, first, pages);
	else
		check_written(g, first, pages);
}

static void run_churn(struct guest *g)
{
	while (goes_on(g)) {
		bounce(g, random_own_chunk(g));
		check_bystander(g);
	}
}

/* All memory is used in both states, each chunk once. */
static void run_sweep(struct guest *g)
{
	const struct guest_vcpu *v = g->vcpu;
	uint64_t chunks = chunk_count(g);

	for (uint64_t chunk = v->id; chunk < chunks && goes_on(g); chunk += v->vcpus)
		bounce(g, chunk);
}

/*
 * Each vCPU flips one chunk of its own. They lie next to each other and to chunk 0, which stays
 * private: vCPU 0 fills it, all check it.
 */
static void run_ping_pong(struct guest *g)
{
	struct guest_vcpu *v = g->vcpu;
	const struct guest_vcpu *first_vcpu = (const void *)VCPU_GPA;
	uint64_t first = chunk_start(g, v->id + 1);
	uint64_t pages = v->chunk_pages;

	if (v->id == 0) {
		touch(g, 0, pages);
		v->common_ready = 1;
	}
	for (uint64_t flips = 1; goes_on(g); flips++) {
		convert(g, first, pages, !g->states[first].private);
		if (flips % PING_PONG_CHECK_EVERY < 2 && !g->states[first].private)
			exchange(g, first, pages);
		else
			touch(g, first, pages);
		if (flips % PING_PONG_CHECK_EVERY == 0 && first_vcpu->common_ready)
			check_written(g, 0, pages);
	}
}

/* Random single pages change sides. */
static void run_sparse(struct guest *g)
{
	while (goes_on(g)) {
		uint64_t page = random_own_chunk(g);

		if (!*tag_at(g, page))
			touch(g, page, 1);
		convert(g, page, 1, !g->states[page].private);
		if (g->states[page].private)
			touch(g, page, 1);
		else
			exchange(g, page, 1);
		check_bystander(g);
	}
}

static void run_step(struct guest *g, const struct guest_step *step)
{
	switch ((enum step_kind)step->kind) {
	case STEP_TO_SHARED:
	case STEP_TO_PRIVATE:
		convert(g, step->page, step->pages, step->kind == STEP_TO_PRIVATE);
		break;
	case STEP_READ:
		(void)*word_at(step->page, 0);
		break;
	case STEP_WRITE:
		*word_at(step->page, 0) = gpa_of(step->page);
		break;
	}
}

/* The VMM tells what was recorded. */
static void run_replay(struct guest *g)
{
	struct guest_vcpu *v = g->vcpu;

	do {
		ring(PORT_STEPS, 0);
		for (uint32_t i = 0; i < v->step_count; i++)
			run_step(g, &v->steps[i]);
	} while (v->step_count);
}

/* Whatever was written and neither overwritten nor dropped is still there. */
static void check_all(struct guest *g)
{
	const struct guest_vcpu *v = g->vcpu;
	uint64_t part_start = 0, part_end = chunk_count(g), step = 1;

	if (v->scenario == BOOT_ACCEPT) {
		part_start = part_end * v->id / v->vcpus;
		part_end = part_end * (v->id + 1) / v->vcpus;
	} else if (v->scenario == PING_PONG) {
		part_start = v->id ? v->id + 1 : 0;
		part_end = v->id + 2;
	} else {
		part_start = v->id;
		step = v->vcpus;
	}
	for (uint64_t c = part_start; c < part_end && v->stop != STOP_NOW; c += step)
		check_written(g, chunk_start(g, c), chunk_size(g, c));
}

/* Entered by every vCPU, at the image's first byte. */
__attribute__((section(".text.start"), noreturn)) void start(struct guest_vcpu *v)
{
	struct guest g = {
		.vcpu = v,
		.states = (struct page_state *)v->page_states_gpa,
		.random_state = mix64(v->seed + v->id),
	};

	switch ((enum scenario)v->scenario) {
	case BOOT_ACCEPT:
		run_boot_accept(&g);
		break;
	case CHURN:
		run_churn(&g);
		break;
	case PING_PONG:
		run_ping_pong(&g);
		break;
	case SPARSE:
		run_sparse(&g);
		break;
	case SWEEP:
		run_sweep(&g);
		break;
	case REPLAY:
		run_replay(&g);
		break;
	}
	ring(PORT_RAN, 0);
	/* What a replay writes is not meant to be found again. */
	if (v->scenario != REPLAY)
		check_all(&g);
	for (;;)
		ring(PORT_CHECKED, 0);
}
