// SPDX-License-Identifier: GPL-2.0
/* The slowest faults on the screen: what each of them was, and its stack. */
#include "figures.h"

#include <inttypes.h>
#include <string.h>

#include "format.h"
#include "kinds.h"
#include "screen.h"

#define INDENT 7

/* Draws the frames on as many lines as they take. Returns the next line. */
static int draw_frames(int y, int end, const char *frames)
{
	size_t width = COLS > INDENT + 1 ? COLS - INDENT : 1;

	attron(A_DIM);
	while (*frames && y < end) {
		size_t len = strlen(frames), part = len < width ? len : width;

		/* Break the line between two names, if possible. */
		for (size_t cut = part; part < len && cut > 0; cut--) {
			if (frames[cut - 1] == ';') {
				part = cut;
				break;
			}
		}
		mvaddnstr(y++, INDENT, frames, part);
		frames += part;
	}
	attroff(A_DIM);
	return y;
}

static bool is_shown(const struct slow *slow, const struct args *args)
{
	return !args->pid || slow->pid == args->pid;
}

bool has_slowest(const struct snapshot *now, const struct args *args)
{
	for (size_t i = 0; i < now->lists[LIST_SLOW].count; i++)
		if (is_shown(snapshot_item(now, LIST_SLOW, i), args))
			return true;
	return false;
}

int draw_slowest(int y, int end, const struct snapshot *now, const struct args *args)
{
	int left = ((const struct trace_args *)args)->slowest;
	char text[256], ns[16];

	attron(A_BOLD);
	put(y++, 0, "Slowest faults since the start");
	attroff(A_BOLD);
	if (!has_slowest(now, args))
		put(y, 0, now->measured & MEASURE_FAULT_ENDS ? "none so far" :
		    "n/a: on this kernel the duration of a fault cannot be measured");
	for (size_t i = 0; i < now->lists[LIST_SLOW].count && left > 0 && y < end; i++) {
		const struct slow *slow = snapshot_item(now, LIST_SLOW, i);

		if (!is_shown(slow, args))
			continue;
		format_ns(ns, sizeof(ns), slow->ns);
		snprintf(text, sizeof(text), "%5s  gpa 0x%" PRIx64 "  %s-%d  vCPU %u  %s %s %s %s", ns,
			 slow->gpa, slow->name, slow->pid, slow->vcpu, kind_alias(slow->kind.alias),
			 kind_level(slow->kind.level), kind_access(slow->kind.access),
			 kind_result(slow->kind.event, slow->kind.result));
		put_cell(y++, 0, COLS, false, text);
		y = draw_frames(y, end, slow->frames);
		left--;
	}
	return y;
}
