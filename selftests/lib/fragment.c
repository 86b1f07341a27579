// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "fragment.h"

#include <sys/mman.h>

#include "files.h"
#include "testvm.h"

#define KEPT_EACH	(BLOCK_PAGES / 2)	/* of so many pages, one stays allocated */
#define SPARE_BYTES	(48ull << 20)		/* of the host's memory, which are not touched by this */
#define REST_BYTES	(256ull << 20)		/* by which the hugepages that are left get used up */
#define THP		"/sys/kernel/mm/transparent_hugepage/"

uint64_t available_bytes(void)
{
	return sum_of_lines("/proc/meminfo", "MemAvailable:") << 10;
}

static uint8_t *reserve_memory(uint64_t bytes, int advice)
{
	uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	check(memory == MAP_FAILED ? -1 : 0, "mmap");
	check(madvise(memory, bytes, advice), "madvise");
	return memory;
}

/* Uses each hugepage that is free, but makes none. */
static uint8_t *use_hugepages(void)
{
	uint8_t *memory = reserve_memory(REST_BYTES, MADV_HUGEPAGE);

	write_file(THP "defrag", "never");
	write_file(THP "enabled", "madvise");
	for (uint64_t offset = 0; offset < REST_BYTES; offset += BLOCK_PAGES * PAGE)
		memory[offset] = 1;
	/* Nor shall khugepaged make some. */
	write_file(THP "enabled", "never");
	return memory;
}

struct fragments fragment_memory(void)
{
	const uint64_t bytes = (available_bytes() - SPARE_BYTES) / (KEPT_EACH * PAGE) * (KEPT_EACH * PAGE);
	uint8_t *memory = reserve_memory(bytes, MADV_NOHUGEPAGE);

	/* The kernel shall not compact memory on its own, nor when it mixes pages that can move with others. */
	write_file("/proc/sys/vm/compaction_proactiveness", "0");
	write_file("/proc/sys/vm/watermark_boost_factor", "0");
	check(madvise(memory, bytes, MADV_POPULATE_WRITE), "MADV_POPULATE_WRITE");
	for (uint64_t kept = 0; kept + KEPT_EACH * PAGE <= bytes; kept += KEPT_EACH * PAGE)
		check(madvise(memory + kept + PAGE, (KEPT_EACH - 1) * PAGE, MADV_DONTNEED), "MADV_DONTNEED");
	return (struct fragments){ .memory = memory, .bytes = bytes, .rest = use_hugepages() };
}

void free_fragments(struct fragments *fragments)
{
	check(munmap(fragments->memory, fragments->bytes), "munmap");
	check(munmap(fragments->rest, REST_BYTES), "munmap");
}
