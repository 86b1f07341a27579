// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "memmap_ranges.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm.h"

#define PAGE_SHIFT	12
#define LINE_SIZE	128
#define MORE		"more from "

static int add(struct gfn_ranges *to, uint64_t start, uint64_t end)
{
	if (to->count == to->room) {
		size_t room = to->room ? 2 * to->room : 64;
		struct gfn_range *ranges = reallocarray(to->ranges, room, sizeof(*ranges));

		if (!ranges)
			return -ENOMEM;
		to->ranges = ranges;
		to->room = room;
	}
	/* A reading can end in the middle of what has become one range since. */
	if (to->count && to->ranges[to->count - 1].end == start)
		to->ranges[to->count - 1].end = end;
	else
		to->ranges[to->count++] = (struct gfn_range){ start, end };
	return 0;
}

/* Adds what the old ranges have between two gfns. */
static int add_old(struct gfn_ranges *to, const struct gfn_ranges *old, uint64_t from, uint64_t until)
{
	int err = 0;

	for (size_t i = 0; !err && i < old->count && old->ranges[i].start < until; i++) {
		uint64_t start = old->ranges[i].start, end = old->ranges[i].end;

		if (end > from)
			err = add(to, start > from ? start : from, end < until ? end : until);
	}
	return err;
}

/* "0x1000-0x3000 2 private" */
static int parse_line(struct gfn_ranges *to, const char *line)
{
	uint64_t start, end;
	char *at;

	start = strtoull(line, &at, 16);
	if (at == line || *at != '-')
		return -EINVAL;
	line = at + 1;
	end = strtoull(line, &at, 16);
	if (at == line || *at != ' ')
		return -EINVAL;
	start >>= PAGE_SHIFT;
	end >>= PAGE_SHIFT;
	/* KVM lists them in order. */
	if (start >= end || (to->count && start < to->ranges[to->count - 1].end))
		return -EINVAL;
	return strstr(at, " private") ? add(to, start, end) : 0;
}

/* Sets @to->next if the text says that there are more. */
static int parse(struct gfn_ranges *to, FILE *text)
{
	char line[LINE_SIZE];
	int err = 0;

	while (!err && fgets(line, sizeof(line), text)) {
		if (strncmp(line, MORE, strlen(MORE)))
			err = parse_line(to, line);
		else
			to->next = strtoull(line + strlen(MORE), NULL, 16) >> PAGE_SHIFT;
	}
	return err ?: ferror(text) ? -EIO : 0;
}

int gfn_ranges_parse(struct gfn_ranges *ranges, FILE *text)
{
	struct gfn_ranges fresh = {};
	int err = add_old(&fresh, ranges, 0, ranges->next);

	if (!err)
		err = parse(&fresh, text);
	/* It goes on past what it has told. */
	if (!err && fresh.next && fresh.count && fresh.next < fresh.ranges[fresh.count - 1].end)
		err = -EINVAL;
	if (!err && fresh.next)
		err = add_old(&fresh, ranges, fresh.next, UINT64_MAX);
	if (err) {
		gfn_ranges_free(&fresh);
		return err;
	}
	free(ranges->ranges);
	*ranges = fresh;
	return 0;
}

int gfn_ranges_read(struct gfn_ranges *ranges, const char *dir)
{
	char path[sizeof(KVM_DEBUGFS "//memattr_ranges") + VM_DIR_LEN];
	int fd, err = 0;
	FILE *file;

	snprintf(path, sizeof(path), KVM_DEBUGFS "/%s/memattr_ranges", dir);
	fd = open(path, ranges->next ? O_RDWR | O_CLOEXEC : O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ranges->next && dprintf(fd, "0x%" PRIx64, ranges->next << PAGE_SHIFT) < 0)
		err = -errno;
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	if (!err)
		err = gfn_ranges_parse(ranges, file);
	fclose(file);
	return err;
}

void gfn_ranges_free(struct gfn_ranges *ranges)
{
	free(ranges->ranges);
	*ranges = (struct gfn_ranges){};
}
