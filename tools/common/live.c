// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "live.h"

#include <errno.h>
#include <string.h>

#include "live_state.h"
#include "saved.h"

bool live_snapshot(struct live *live, struct diag *why)
{
	struct snapshot *s;

	/* The VM that is chosen can be another one each time: the one before may have ended. */
	source_want(&live->source, sheet_of(live)->measures, live->now ? live_vm(live) : NULL);
	s = source_next(&live->source, why);
	if (!s)
		return false;
	snapshot_free(live->before);
	live->before = live->now;
	live->now = s;
	live->position++;
	for (int i = 0; i < live->tool->sheet_count; i++)
		if (live->tool->sheets[i].trend)
			history_add(&live->histories[i], s, live->tool->sheets[i].trend);
	if (live->tool->saw)
		live->tool->saw(s);
	return true;
}

static void run(struct live *live, struct diag *why)
{
	struct view *view = &live->view;
	unsigned long left = live->args->count;
	int err, key;

	if (!live_snapshot(live, why))
		return;
	interval_start(&view->interval, monotonic_ns(), view->delay_s);
	live->source.interval = &view->interval;
	while (!view->quit) {
		live_draw(live);
		err = view_wait(view);
		if (err) {
			diag_set(why, "", "%s", strerror(-err));
			return;
		}
		while ((key = view_key(view)) != ERR)
			live_key(live, key);
		if (!view_is_due(view))
			continue;
		if (!live_snapshot(live, why)) {
			if (why->cause[0])
				return;
			view->ended = "END OF RECORD";
		} else if (live->source.over) {
			view->ended = "PROCESS ENDED";
		} else if (live->args->count && !--left) {
			return;
		}
	}
}

/* Attaching takes seconds on a busy host, on which a dark screen would look like a fault. */
static int open_source(struct live *live, struct diag *why)
{
	char text[128];

	snprintf(text, sizeof(text), "%s is starting: %s", live->tool->name,
		 live->args->replay ? "reading the record" : "attaching to KVM's events");
	erase();
	put(0, 0, text);
	refresh();
	return source_open(&live->source, live->tool, live->args, why);
}

/* How the screen looks at first: by the options, else as it was saved. */
static void set_out(struct live *live, const struct tool *tool, const struct args *args)
{
	struct saved saved = { .delay_s = DELAY_DEFAULT_S };

	for (int i = 0; i < tool->sheet_count; i++)
		saved.orders[i].sort = tool->sheets[i].sort;
	saved_read(tool, &saved);
	for (int i = 0; i < tool->sheet_count; i++)
		live->habits[i] = (struct habit){ .sort = saved.orders[i].sort, .reverse = saved.orders[i].reverse };
	live->place.sheet = args->view ? args->sheet : saved.sheet;
	live->view.table.sort = live->habits[live->place.sheet].sort;
	live->view.reverse = live->habits[live->place.sheet].reverse;
	live->view.has_table = !sheet_of(live)->draw;
	live->view.totals = args->totals || saved.totals;
	live->view.delay_s = args->delay_s ?: saved.delay_s;
}

int live_run(const struct tool *tool, const struct args *args)
{
	struct table_column columns[COLUMNS_MAX];
	struct live live = {
		.tool = tool,
		.args = args,
		.view.table.columns = columns,
	};
	struct diag why = {};
	int status = view_open(&live.view, tool->name), closed;

	set_out(&live, tool, args);
	if (status)
		return status;
	status = open_source(&live, &why);
	if (!status)
		run(&live, &why);
	view_close(&live.view);
	closed = source_close(&live.source);
	for (int i = 0; i < tool->sheet_count; i++)
		history_free(&live.histories[i]);
	snapshot_free(live.base);
	snapshot_free(live.before);
	snapshot_free(live.now);
	if (why.cause[0])
		return diag_print(&why, status ?: EXIT_FAILED);
	return closed;
}
