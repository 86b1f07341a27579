// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "view.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "clock.h"
#include "diag.h"
#include "text.h"

int view_open(struct view *view, const char *tool)
{
	char next[64];

	view->signals = screen_signals();
	view->screen = screen_open();
	if (view->screen)
		return EXIT_OK;
	snprintf(next, sizeof(next), "%s -b, or another value of TERM", tool);
	return diag_fail(EXIT_FAILED, next, "cannot open a screen on a terminal of type '%s'",
			 getenv("TERM") ?: "");
}

void view_close(struct view *view)
{
	endwin();
	delscreen(view->screen);
	close(view->signals);
}

bool view_is_due(struct view *view)
{
	uint64_t now_ns = monotonic_ns();

	if (view->quit || view->paused || view->ended || now_ns < view->interval.deadline_ns)
		return false;
	interval_next(&view->interval, now_ns);
	return true;
}

static int timeout_ms(const struct view *view)
{
	uint64_t now_ns = monotonic_ns();

	if (view->paused || view->ended)
		return -1;
	if (now_ns >= view->interval.deadline_ns)
		return 0;
	/* Round up: waking early would mean waking twice. */
	return (view->interval.deadline_ns - now_ns) / 1000000 + 1;
}

int view_wait(struct view *view)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = view->signals, .events = POLLIN },
	};

	if (poll(fds, 2, timeout_ms(view)) < 0 && errno != EINTR)
		return -errno;
	if (fds[1].revents)
		view->quit |= !screen_signal(view->signals);
	view->has_keys = fds[0].revents;
	/* The terminal has been closed. */
	if (fds[0].revents & (POLLHUP | POLLERR))
		view->quit = true;
	return 0;
}

static void set_delay(struct view *view, double seconds)
{
	if (seconds < DELAY_MIN_S || seconds > DELAY_MAX_S) {
		view->complaint = "That delay is out of range.";
		return;
	}
	view->delay_s = seconds;
	interval_start(&view->interval, monotonic_ns(), seconds);
}

static void prompt_answer(struct view *view, int key)
{
	enum view_mode asked = view->mode;
	double seconds;

	if (!prompt_key(view->prompt, sizeof(view->prompt), view->mode == VIEW_FILTER, key))
		return;
	view->mode = VIEW_TABLE;
	if (asked == VIEW_FILTER && key != ESCAPE)
		memcpy(view->filter, view->prompt, sizeof(view->filter));
	if (asked == VIEW_FILTER || !view->prompt[0])
		return;
	if (!read_decimal(view->prompt, &seconds))
		view->complaint = "That is not a number of seconds.";
	else
		set_delay(view, seconds);
}

/* Returns the next column to sort by in that direction, around the end of the table. */
static int next_sort(const struct table *table, int from, int step)
{
	do
		from = (from + step + table->count) % table->count;
	while (table->columns[from].unsorted);
	return from;
}

static void sort_key(struct view *view, int key)
{
	switch (key) {
	case KEY_UP:
		if (view->sort_choice > 0)
			view->sort_choice = next_sort(&view->table, view->sort_choice, -1);
		return;
	case KEY_DOWN:
		if (view->sort_choice + 1 < view->table.count)
			view->sort_choice = next_sort(&view->table, view->sort_choice, 1);
		return;
	case '\n':
	case KEY_ENTER:
		view->table.sort = view->sort_choice;
		view->mode = VIEW_TABLE;
		return;
	case ESCAPE:
	case 'q':
		view->mode = VIEW_TABLE;
		return;
	}
}

/* Returns false if the key is not about the columns. */
static bool column_key(struct view *view, int key)
{
	struct table *table = &view->table;

	switch (key) {
	case '<':
		table->sort = next_sort(table, table->sort, -1);
		return true;
	case '>':
		table->sort = next_sort(table, table->sort, 1);
		return true;
	case KEY_F(6):
		view->sort_choice = table->sort;
		view->mode = VIEW_SORT;
		return true;
	case 'R':
		view->reverse = !view->reverse;
		return true;
	case KEY_LEFT:
		if (table->skipped > 0)
			table->skipped--;
		return true;
	case KEY_RIGHT:
		if (table->fixed + table->skipped < table->count - 1)
			table->skipped++;
		return true;
	}
	return false;
}

static bool is_help(int key)
{
	return key == 'h' || key == '?' || key == KEY_F(1);
}

/* Returns false if the key is not one that every view has. */
static bool table_key(struct view *view, int key)
{
	if (is_help(key)) {
		view->mode = VIEW_HELP;
		return true;
	}
	switch (key) {
	case 'q':
		view->quit = true;
		return true;
	case ' ':
		view->paused = !view->paused;
		/* After a pause, show at once what happened meanwhile. */
		view->interval.deadline_ns = monotonic_ns();
		return true;
	case 't':
		view->totals = !view->totals;
		return true;
	case 's':
	case 'd':
	case 'f':
	case '/':
		view->prompt[0] = '\0';
		view->mode = key == 's' || key == 'd' ? VIEW_DELAY : VIEW_FILTER;
		return true;
	case '+':
	case '-':
		if (!view->has_table)
			return false;
		set_delay(view, step_delay(view->delay_s, key == '+'));
		return true;
	}
	return view->has_table && column_key(view, key);
}

/*
 * After an event of the mouse that it drops, ncurses says that there is no key, and keeps the one that comes next. The
 * key that it keeps while it looks for the rest of an event is as the terminal sent it: Enter is a carriage return.
 */
static int next_key(void)
{
	int key = getch();

	if (key == ERR)
		key = getch();
	return key == '\r' ? '\n' : key;
}

int view_key(struct view *view)
{
	int key;

	while (view->has_keys && (key = next_key()) != ERR) {
		/* A resize is not a key press: it leaves no page and answers no prompt. */
		if (key == KEY_RESIZE)
			continue;
		view->complaint = NULL;
		if (key == CONTROL('L'))
			clearok(curscr, TRUE);
		else if (view->mode == VIEW_DELAY || view->mode == VIEW_FILTER)
			prompt_answer(view, key);
		else if (view->mode == VIEW_SORT)
			sort_key(view, key);
		else if (view->mode != VIEW_TABLE)
			view->mode = view->mode == VIEW_HELP && is_help(key) ? VIEW_COLUMNS : VIEW_TABLE;
		else if (!table_key(view, key))
			return key;
	}
	return ERR;
}

void view_title(const struct view *view, const char *text)
{
	const char *state = view->ended ?: view->paused ? "PAUSED" : "";
	int x = strlen(text) + 1, last = COLS - (int)strlen(state) - 1;

	attron(A_BOLD);
	put(0, 0, text);
	x = x < last ? x : last > 0 ? last : 0;
	if (*state)
		put_cell(0, x, 1, false, "");
	put(0, x + 1, state);
	attroff(A_BOLD);
}

void view_help_end(int lines, const char *manual)
{
	char text[64];

	if (lines <= LINES)
		return;
	snprintf(text, sizeof(text), "There is more: enlarge the terminal, or run man %s", manual);
	attron(A_REVERSE);
	put_cell(LINES - 1, 0, COLS, false, text);
	attroff(A_REVERSE);
}

void view_bottom(const struct view *view, const char *keys)
{
	char text[128];

	if (LINES < LINES_FOR_TITLE && view->mode != VIEW_DELAY && view->mode != VIEW_FILTER)
		return;
	if (view->mode == VIEW_DELAY) {
		snprintf(text, sizeof(text), "Delay in seconds (%.1f to %.0f): %s", DELAY_MIN_S,
			 DELAY_MAX_S, view->prompt);
		put(LINES - 1, 0, text);
	} else if (view->mode == VIEW_FILTER) {
		snprintf(text, sizeof(text), "Only VMs whose name has (nothing: all): %s", view->prompt);
		put(LINES - 1, 0, text);
	} else if (view->complaint) {
		attron(colour(COLOUR_WARNING));
		put(LINES - 1, 0, view->complaint);
		attroff(colour(COLOUR_WARNING));
	} else {
		put(LINES - 1, 0, keys);
	}
}
