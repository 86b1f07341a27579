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

bool has_slowest(const struct snapshot *now, const struct args *args)
{
	size_t at = 0;

	return next_slow(now, args, &at);
}

int draw_slowest(int y, int end, const struct snapshot *now, const struct args *args)
{
	int left = ((const struct trace_args *)args)->slowest;
	const struct slow *slow;
	char text[256], ns[16];
	size_t at = 0;

	attron(A_BOLD);
	put(y++, 0, "Slowest faults since the start");
	attroff(A_BOLD);
	if (!has_slowest(now, args))
		put(y, 0, now->measured & MEASURE_FAULT_ENDS ? "none so far" :
		    "n/a: on this kernel the duration of a fault cannot be measured");
	while (left-- > 0 && y < end && (slow = next_slow(now, args, &at))) {
		format_ns(ns, sizeof(ns), slow->ns);
		snprintf(text, sizeof(text), "%5s  gpa 0x%" PRIx64 "  %s-%d  vCPU %u  %s %s %s %s", ns,
			 slow->gpa, slow->name, slow->pid, slow->vcpu, alias_name(slow->kind.alias),
			 level_name(slow->kind.level), kind_access(slow->kind.access),
			 kind_result(slow->kind.event, slow->kind.result));
		put_cell(y++, 0, COLS, false, text);
		y = draw_frames(y, end, slow->frames);
	}
	return y;
}
