// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "live_state.h"

static int draw_keys(const struct live *live, int y)
{
	static const char * const keys[] = {
		"q Ctrl-C   quit                    up down PgUp PgDn Home End   move",
		"h ? F1     this page; again: the columns      left right       scroll columns",
		"space      pause, resume           < >   sort by the previous or next column",
		"d s        enter a new delay       F6    choose the sort column",
		"+ -        longer, shorter delay   R     reverse the order",
		"t          totals or per second    i     what the figures rest on",
		"f /        only some VMs           r     show all again, begin totals again",
		"click      mark a row, or sort     wheel scroll",
		"[ ] { }    in a record: 10 or 100  W     save delay, view, order for the",
		"           intervals back, on            next start",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		put(y++, 0, keys[i]);
	put(y++, 0, live->tool->keys_help);
	put(y++, 0, live->tool->see);
	return y;
}

static int draw_views(const struct live *live, int y)
{
	char text[128];

	put(y++, 0, "v          the next view             Enter Esc  into a row's VM, and back");
	for (int i = 0; i < live->tool->sheet_count; i++) {
		const struct sheet *sheet = &live->tool->sheets[i];

		snprintf(text, sizeof(text), "%d          %s: %s", i + 1, sheet->word, sheet->help);
		put(y++, 0, text);
	}
	return y;
}

void live_help(const struct live *live)
{
	char text[128];
	int y = 0;

	snprintf(text, sizeof(text), "%s " MEMATTR_VERSION, live->tool->name);
	attron(A_BOLD);
	put(y++, 0, text);
	attroff(A_BOLD);
	y = draw_keys(live, y);
	if (live->tool->sheet_count > 1)
		y = draw_views(live, y);
	view_help_end(y, live->tool->name);
}

void live_columns(const struct live *live)
{
	const struct sheet *sheet = sheet_of(live);
	char text[128];
	int y = 0;

	snprintf(text, sizeof(text), "The columns of %s.  n/a: not measured on this kernel; -: nothing to measure",
		 sheet->word);
	attron(A_BOLD);
	put(y++, 0, text);
	attroff(A_BOLD);
	for (const struct column *c = sheet->columns; c < sheet->columns + sheet->column_count; c++) {
		snprintf(text, sizeof(text), "%-6s %s", c->title, c->help ?: "");
		if (c->help)
			put(y++, 0, text);
	}
	view_help_end(y, live->tool->name);
}
