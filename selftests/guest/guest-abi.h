/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the VMM and the code inside the guest agree on: the guest-physical layout, the page each
 * vCPU shares with the VMM, the doorbell ports and the pattern that pages are filled with.
 */
#ifndef GUEST_ABI_H
#define GUEST_ABI_H

#include <stdbool.h>
#include <stdint.h>

#define GUEST_PAGE_SIZE		4096ull
#define MAX_VCPUS		64	/* one page and one stack each, all below TABLES_GPA */

/*
 * Control memory: a slot without guest_memfd, always shared. It starts at 1 MiB, so that a null
 * pointer in the guest becomes an MMIO exit, which the VMM reports.
 */
#define CONTROL_GPA		0x100000ull
#define IMAGE_GPA		CONTROL_GPA
#define VCPU_GPA		0x110000ull	/* struct guest_vcpu, one page each */
#define STACK_GPA		0x150000ull
#define STACK_SIZE		0x2000ull
#define TABLES_GPA		0x1d0000ull	/* page tables, then the page states */

/* Work memory: the slot with guest_memfd, whose pages are converted. Aligned for 1 GiB chunks. */
#define WORK_GPA		0x100000000ull
#define WORK_SIZE_MAX		(64ull << 30)	/* keeps the page states within the first GiB */

/* Doorbells, 32 bit wide. */
#define PORT_EXCHANGE		0x10	/* check the request in guest_vcpu.exchange and answer it */
#define PORT_BACKOFF		0x11	/* sleep as many us as the value says */
#define PORT_RAN		0x12	/* the scenario is over, the final check begins */
#define PORT_CHECKED		0x13	/* the final check is over, the vCPU has ended */
#define PORT_MISMATCH		0x14	/* see guest_vcpu.mismatch */
#define PORT_STEPS		0x15	/* the steps in guest_vcpu.steps are done, the next ones please */

enum scenario { BOOT_ACCEPT, CHURN, PING_PONG, SPARSE, SWEEP, REPLAY };

enum stop { RUN_ON, STOP_AND_CHECK, STOP_NOW };

/*
 * A tag names the content of a page: 0 is a page of zeros, else a generation, which no two
 * writes to one page have in common, and who wrote it.
 */
enum writer { GUEST_PRIVATE, GUEST_REQUEST, HOST_ANSWER };

#define TAG_WRITER_BITS		2
#define TAG_MAX_GENERATION	(UINT32_MAX >> TAG_WRITER_BITS)

static inline uint32_t tag_of(uint32_t generation, enum writer writer)
{
	return generation << TAG_WRITER_BITS | writer;
}

static inline enum writer writer_of(uint32_t tag)
{
	return (enum writer)(tag & ((1u << TAG_WRITER_BITS) - 1));
}

/*
 * The guest's own record of a work page: what it must find there, on either side. Where conversions
 * happen in place there is one content, which moves to the other side.
 */
struct page_state {
	uint32_t shared_tag;
	uint32_t private_tag;
	uint32_t private;
};

/* A step of a replay. */
enum step_kind { STEP_TO_SHARED, STEP_TO_PRIVATE, STEP_READ, STEP_WRITE };

struct guest_step {
	uint64_t page;			/* its index in the work memory */
	uint32_t pages;
	uint32_t kind;
};

#define STEPS_MAX		192	/* what a vCPU's page has room for */

/* One page per vCPU, at VCPU_GPA + id * GUEST_PAGE_SIZE. */
struct guest_vcpu {
	/* Written by the VMM before the guest runs. */
	uint32_t id;
	uint32_t vcpus;
	uint32_t scenario;
	uint32_t keep;			/* the VMM does not drop the stale side */
	uint32_t use_vmmcall;
	uint32_t in_place;		/* both sides are the same page */
	uint64_t seed;
	uint64_t work_pages;
	uint64_t chunk_pages;
	uint64_t touch_every;
	uint64_t conversions;		/* how many to ask for */
	uint64_t page_states_gpa;

	/* Written by the VMM while the guest runs: enum stop. */
	volatile uint32_t stop;

	/* Written by the guest. */
	volatile uint32_t common_ready;	/* vCPU 0: the chunk that all vCPUs check is filled */
	uint64_t asked;			/* conversions, each counted once */
	uint64_t gave_up;		/* of these: still -EAGAIN after the last retry */
	uint64_t verified_pages;
	struct {
		uint64_t gpa;
		uint64_t pages;
		uint32_t tag;		/* in: the guest's request, out: the host's answer */
	} exchange;
	struct {
		uint64_t gpa;
		uint64_t expected;
		uint64_t found;
		uint32_t tag;
		uint32_t private;
	} mismatch;

	/* Written by the VMM when the guest asks for steps; 0 after the last one. */
	uint32_t step_count;
	struct guest_step steps[STEPS_MAX];
};

_Static_assert(sizeof(struct guest_vcpu) <= GUEST_PAGE_SIZE, "a vCPU has one page");

static inline uint64_t mix64(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* The word that a page with this tag has at this address. */
static inline uint64_t pattern(uint64_t seed, uint64_t gpa, uint32_t tag)
{
	return tag ? mix64(gpa + mix64(seed * 0x9e3779b97f4a7c15ull + tag)) : 0;
}

/*
 * One word per cache line is written and checked: a page is converted as a whole, so that more
 * words would only cost time. The first and the last word of the page are among them.
 */
#define LINES_PER_PAGE		64

static inline uint64_t word_offset(unsigned int line)
{
	return line * 64 + line % 8 * 8;
}

#endif
