// SPDX-License-Identifier: GPL-2.0
/*
 * What it takes to make 1 GiB of a guest's memory shared and private again, in ns of CLOCK_MONOTONIC:
 * instructions, in a VM that counts these instead of time (selftests/vm/run --icount). If KVM converts
 * in place, it does; else private pages are freed when they become shared, as VMMs do.
 *
 * usage: inplace-cost
 *
 * Prints "NAME NS" a line.
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "random.h"
#include "walker.h"

#define SIZE (1ull << 30)
#define SINGLE_PAGES 256u

static bool in_place;

/* The memory at AREA_GPA, which is private and, unless @touched is false, in use by the guest. */
struct area {
	struct walker guest;
	int gmem_fd;
	uint8_t *host;			/* mapping of the file, or NULL */
	uint64_t first_touch_ns;
};

static void convert(const struct area *area, uint64_t offset, uint64_t size, uint64_t attributes)
{
	if (in_place)
		errno = try_convert(area->gmem_fd, offset, size, attributes, NULL);
	else
		errno = try_set_attributes(area->guest.vm_fd, AREA_GPA + offset, size, attributes);
	if (errno)
		err(1, "cannot set attributes");
}

static uint64_t convert_ns(const struct area *area, uint64_t offset, uint64_t size, uint64_t attributes)
{
	uint64_t start = now_ns();

	convert(area, offset, size, attributes);
	return now_ns() - start;
}

/* Returns what the guest needs to read a word of each page. */
static uint64_t walk_ns(struct area *area)
{
	uint64_t before = area->guest.ns;

	run_walker(&area->guest, guest_walk, AREA_GPA, SIZE / PAGE, PAGE);
	return area->guest.ns - before;
}

static struct area create_area(bool mapped, bool touched)
{
	struct area area = { .guest = create_walker() };
	void *memory;

	if (in_place) {
		area.gmem_fd = try_create_gmem(area.guest.vm_fd, SIZE, GUEST_MEMFD_FLAG_MMAP);
		if (area.gmem_fd < 0)
			errx(1, "cannot create a guest_memfd: %s", strerror(-area.gmem_fd));
		if (mapped)
			area.host = map_file(area.gmem_fd, SIZE, MAP_SHARED);
		memory = area.host;
	} else {
		area.gmem_fd = create_gmem(area.guest.vm_fd, SIZE);
		memory = map_memory(AREA_GPA, SIZE);
	}
	set_memslot(area.guest.vm_fd, 0, AREA_GPA, SIZE, memory, area.gmem_fd);
	if (!in_place)
		convert(&area, 0, SIZE, PRIVATE);
	if (touched)
		area.first_touch_ns = walk_ns(&area);
	return area;
}

static void destroy_area(struct area *area)
{
	if (area->host)
		munmap(area->host, SIZE);
	close(area->gmem_fd);
	destroy_walker(&area->guest);
}

static void print(const char *name, uint64_t ns)
{
	printf("%s %llu\n", name, (unsigned long long)ns);
	fflush(stdout);
}

static void print_part(const char *name, const char *part, uint64_t ns)
{
	char line[64];

	snprintf(line, sizeof(line), "%s-%s", name, part);
	print(line, ns);
}

/* The host uses all pages that are shared. */
static void touch(const struct area *area)
{
	for (uint64_t offset = 0; area->host && offset < SIZE; offset += PAGE)
		area->host[offset]++;
}

/* Prints what it takes to share all of it; without conversion in place, private pages are freed, as VMMs do. */
static void share(struct area *area, const char *name)
{
	uint64_t ns = convert_ns(area, 0, SIZE, 0), start = now_ns();

	if (!in_place && try_punch(area->gmem_fd, 0, SIZE))
		err(1, "cannot punch a hole");
	print_part(name, "to-shared", ns + now_ns() - start);
}

static void round_trip(const char *name, bool mapped)
{
	struct area area = create_area(mapped, true);

	print_part(name, "first-touch", area.first_touch_ns);
	share(&area, name);
	touch(&area);
	print_part(name, "to-private", convert_ns(&area, 0, SIZE, PRIVATE));
	print_part(name, "touch-again", walk_ns(&area));
	destroy_area(&area);
}

/* No page is there. */
static void empty(const char *name, bool mapped)
{
	struct area area = create_area(mapped, false);

	print(name, convert_ns(&area, 0, SIZE, 0) + convert_ns(&area, 0, SIZE, PRIVATE));
	destroy_area(&area);
}

/* Single pages to shared and back, on average; the host uses them meanwhile. */
static void single(const char *name, bool mapped)
{
	struct area area = create_area(mapped, true);
	uint64_t random = 1, ns = 0;

	for (unsigned int i = 0; i < SINGLE_PAGES; i++) {
		uint64_t offset = next_random(&random) % (SIZE / PAGE) * PAGE;

		ns += convert_ns(&area, offset, PAGE, 0);
		if (area.host)
			area.host[offset]++;
		ns += convert_ns(&area, offset, PAGE, PRIVATE);
	}
	print(name, ns / SINGLE_PAGES);
	destroy_area(&area);
}

int main(void)
{
	in_place = converts_in_place();
	round_trip("unmapped", false);
	empty("empty-unmapped", false);
	single("page-unmapped", false);
	if (in_place) {
		round_trip("mapped", true);
		empty("empty-mapped", true);
		single("page-mapped", true);
	}
	return 0;
}
