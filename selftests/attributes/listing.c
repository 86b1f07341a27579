// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "listing.h"
#include "page_guest.h"
#include "ranges.h"
#include "tap.h"

/* The documentation says so. */
#define SHOWN_MAX	65536u
#define RANGES		(SHOWN_MAX + 1000)
/* Longer than any line. */
#define LINE		100
#define TEXT_SIZE	((RANGES + 1) * LINE)
/* After the others there is a range of several pages. */
#define LONG_FIRST	(2ul * RANGES)
#define LONG_PAGES	8

static char *found, *expected;

/* Range number @range is one page, as is the gap after it. */
static uint64_t range_gpa(unsigned int range)
{
	return page_gpa(2ul * range);
}

static void make_ranges(int vm_fd, unsigned int first, unsigned int end)
{
	for (unsigned int i = first; i < end; i++)
		check(-try_set(vm_fd, 2ul * i, 2ul * i + 1, true), "KVM_SET_MEMORY_ATTRIBUTES");
}

static int open_listing(pid_t vmm, int vm_fd)
{
	char path[LINE];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/memattr_ranges", vmm, vm_fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	check(fd, path);
	return fd;
}

/* Complains where the rest of the file differs from @expected. */
static bool reads_as_expected(int fd)
{
	size_t length = 0, same = 0;
	ssize_t bytes;

	while ((bytes = read(fd, found + length, TEXT_SIZE - 1 - length)) > 0)
		length += bytes;
	check(bytes, "memattr_ranges");
	found[length] = '\0';
	while (found[same] && found[same] == expected[same])
		same++;
	return found[same] == expected[same] ||
	       complain("memattr_ranges, at byte %zu: \"%.40s\", expected \"%.40s\"", same,
			found + same, expected + same);
}

/* Reads ranges @first to @end (exclusive) and, if there are @more, the line that says so. */
static bool shows(int fd, unsigned int first, unsigned int end, bool more)
{
	char *text = expected;

	*text = '\0';
	for (unsigned int i = first; i < end; i++)
		text += print_range(text, 2ul * i, 2ul * i + 1);
	if (more)
		sprintf(text, "more from 0x%lx on: write this address to the file, then read\n",
			range_gpa(end));
	return reads_as_expected(fd);
}

static int try_write(int fd, const char *text)
{
	ssize_t length = strlen(text);

	return write(fd, text, length) == length ? 0 : errno;
}

/* Writes the address to the file as a new reader. */
static int open_at(int vm_fd, uint64_t gpa)
{
	int fd = open_listing(getpid(), vm_fd);
	char text[LINE];

	snprintf(text, sizeof(text), "0x%lx\n", gpa);
	check(-try_write(fd, text), "memattr_ranges");
	return fd;
}

static bool shows_at(int vm_fd, uint64_t gpa, unsigned int first, unsigned int end)
{
	int fd = open_at(vm_fd, gpa);
	bool right = shows(fd, first, end, false);

	close(fd);
	return right;
}

/* Goes on at the address in the last line, as its reader would. */
static bool goes_on(int vm_fd)
{
	uint64_t gpa = 0;
	const char *more = strstr(found, "more from ");
	bool right;
	int fd;

	if (!more || sscanf(more, "more from %lx on", &gpa) != 1)
		return complain("there is no last line");
	fd = open_at(vm_fd, gpa);
	right = shows(fd, SHOWN_MAX, RANGES, false);
	/* From its start, the file begins there again. */
	check(lseek(fd, 0, SEEK_SET), "lseek");
	right &= shows(fd, SHOWN_MAX, RANGES, false);
	close(fd);
	return right;
}

static bool refuses_what_is_not_an_address(int vm_fd)
{
	static const char * const texts[] = {
		"\n", "x", "0x", "-1", "1 2", "0x1000-0x2000", "0x10000000000000000",
	};
	int fd = open_at(vm_fd, range_gpa(RANGES - 3));
	bool right = true;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int error = try_write(fd, texts[i]);

		if (error != (strlen(texts[i]) > 16 ? ERANGE : EINVAL))
			right = complain("\"%s\": %s", texts[i], strerror(error));
	}
	right &= shows(fd, RANGES - 3, RANGES, false);
	close(fd);
	return right;
}

static bool begins_amid_a_range(int vm_fd)
{
	int fd;
	bool right;

	check(-try_set(vm_fd, LONG_FIRST, LONG_FIRST + LONG_PAGES, true), "KVM_SET_MEMORY_ATTRIBUTES");
	fd = open_at(vm_fd, page_gpa(LONG_FIRST + 3));
	print_range(expected, LONG_FIRST + 3, LONG_FIRST + LONG_PAGES);
	right = reads_as_expected(fd);
	close(fd);
	check(-try_set(vm_fd, LONG_FIRST, LONG_FIRST + LONG_PAGES, false), "KVM_SET_MEMORY_ATTRIBUTES");
	return right;
}

/* A process with a VM of RANGES ranges, whose descriptor it reports. */
static pid_t start_vmm(int *vm_fd)
{
	int ready[2];
	pid_t vmm;

	check(pipe(ready), "pipe");
	vmm = fork();
	check(vmm, "fork");
	if (!vmm) {
		int fd = create_protected_vm_fd();

		make_ranges(fd, 0, RANGES);
		check(write(ready[1], &fd, sizeof(fd)), "pipe");
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], vm_fd, sizeof(*vm_fd)) != sizeof(*vm_fd))
		errx(1, "no VM");
	close(ready[0]);
	return vmm;
}

static void test_death(void)
{
	int vm_fd, fd, later_fd;
	pid_t vmm = start_vmm(&vm_fd);
	char folder[LINE];

	fd = open_listing(vmm, vm_fd);
	later_fd = open_listing(vmm, vm_fd);
	check(read(fd, found, LINE), "memattr_ranges");
	kill(vmm, SIGKILL);
	waitpid(vmm, NULL, 0);
	check(lseek(fd, 0, SEEK_SET), "lseek");
	ok(shows(fd, 0, SHOWN_MAX, true), "the VMM dies: who reads goes on to the last line");
	snprintf(found, TEXT_SIZE, "0x%lx", range_gpa(SHOWN_MAX));
	ok(!try_write(later_fd, found) && shows(later_fd, SHOWN_MAX, RANGES, false),
	   "and can read on from there");
	close(fd);
	close(later_fd);
	snprintf(folder, sizeof(folder), "/sys/kernel/debug/kvm/%d-%d", vmm, vm_fd);
	ok(access(folder, F_OK) && errno == ENOENT, "with the last reader the VM goes");
}

void test_listing(void)
{
	int vm_fd = create_protected_vm_fd(), fd;

	found = malloc(TEXT_SIZE);
	expected = malloc(TEXT_SIZE);
	if (!found || !expected)
		err(1, "malloc");
	make_ranges(vm_fd, 0, SHOWN_MAX);
	fd = open_listing(getpid(), vm_fd);
	ok(shows(fd, 0, SHOWN_MAX, false), "%u ranges are shown", SHOWN_MAX);
	close(fd);
	make_ranges(vm_fd, SHOWN_MAX, RANGES);
	fd = open_listing(getpid(), vm_fd);
	ok(shows(fd, 0, SHOWN_MAX, true), "of %u, too, and a line says where the others start", RANGES);
	close(fd);
	ok(goes_on(vm_fd), "whoever writes this address to the file reads the others");
	ok(shows_at(vm_fd, range_gpa(RANGES - 2) + PAGE - 1, RANGES - 2, RANGES),
	   "an address amid a page: from this page on");
	ok(shows_at(vm_fd, range_gpa(RANGES - 2) + PAGE, RANGES - 1, RANGES),
	   "amid shared pages: from the next range on");
	ok(begins_amid_a_range(vm_fd), "amid a range: its rest");
	ok(shows_at(vm_fd, range_gpa(RANGES - 1) + PAGE, 0, 0), "where the last range ends: nothing");
	ok(shows_at(vm_fd, UINT64_MAX, 0, 0), "past the end of all addresses: nothing");
	ok(refuses_what_is_not_an_address(vm_fd),
	   "what is not an address is refused, and the file starts where it did");
	close(vm_fd);
	test_death();
}
