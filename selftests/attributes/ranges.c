// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "page_guest.h"
#include "ranges.h"
#include "tap.h"

size_t print_range(char *text, uint64_t first, uint64_t end)
{
	return sprintf(text, "0x%lx-0x%lx %lu private\n", page_gpa(first), page_gpa(end),
		       end - first);
}

void read_ranges(int vm_fd, char *text)
{
	char path[100];

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/memattr_ranges", getpid(), vm_fd);
	read_file(path, text, RANGES_SIZE);
}

bool ranges_are(int vm_fd, const char *expected)
{
	static char found[RANGES_SIZE];
	size_t same = 0, line = 0;

	read_ranges(vm_fd, found);
	if (!strcmp(found, expected))
		return true;
	for (; expected[same] == found[same]; same++)
		if (expected[same] == '\n')
			line = same + 1;
	return complain("memattr_ranges, where it differs: \"%.*s\", expected \"%.*s\"",
			(int)strcspn(found + line, "\n"), found + line,
			(int)strcspn(expected + line, "\n"), expected + line);
}

bool ranges_are_right(void)
{
	static char expected[RANGES_SIZE];
	char *text = expected;
	uint64_t first, end;

	*text = 0;
	for (first = 0; first < AREA_PAGES; first = end) {
		for (end = first; end < AREA_PAGES && vm.private[end] == vm.private[first]; end++)
			;
		if (vm.private[first])
			text += print_range(text, first, end);
	}
	return ranges_are(vm.fd, expected);
}
