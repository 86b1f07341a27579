// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "screen.h"

#include <signal.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <term.h>
#include <unistd.h>

#include "text.h"

/* The bytes of an escape sequence come at once; a person's next key does not. */
#define ESCAPE_DELAY_MS	25

static bool colours;	/* the terminal has them, and NO_COLOR does not forbid them */

/* newterm() takes a terminal of type "dumb", but all that it can do is to write one text over the other. */
static bool can_move_cursor(void)
{
	int known;
	bool can;

	if (setupterm(NULL, STDOUT_FILENO, &known) != OK)
		return false;
	can = cursor_address && clear_screen;
	del_curterm(cur_term);
	return can;
}

SCREEN *screen_open(void)
{
	const char *no_color = getenv("NO_COLOR");
	SCREEN *screen;

	text_use_locale();
	screen = can_move_cursor() ? newterm(NULL, stdout, stdin) : NULL;
	if (!screen)
		return NULL;
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_DELAY_MS);
	curs_set(0);
	/* A press counts at once, without a wait for what may follow it. */
	mouseinterval(0);
	mousemask(ALL_MOUSE_EVENTS, NULL);
	colours = (!no_color || !no_color[0]) && has_colors();
	if (colours) {
		start_color();
		use_default_colors();
		/* Both can be read on black and on white. Yellow cannot. */
		init_pair(COLOUR_WARNING, COLOR_MAGENTA, -1);
		init_pair(COLOUR_LOSS, COLOR_RED, -1);
		init_pair(COLOUR_PRIVATE, COLOR_GREEN, -1);
	}
	return screen;
}

chtype colour(enum colour which)
{
	return colours ? COLOR_PAIR(which) | A_BOLD : A_BOLD;
}

chtype tint_of(enum colour which)
{
	return colours ? COLOR_PAIR(which) : A_NORMAL;
}

/* Names are UTF-8: cut by the cells they take, not by bytes. The cursor is where the text begins. */
static void add_text(const char *text, int width)
{
	int cells = 0;
	wchar_t wide;

	while (*text) {
		cells += text_next(&text, &wide);
		if (cells > width)
			return;
		addnwstr(&wide, 1);
	}
}

void put(int y, int x, const char *text)
{
	if (y < 0 || y >= LINES || x >= COLS)
		return;
	move(y, x);
	add_text(text, COLS - x);
}

void put_cell(int y, int x, int width, bool right, const char *text)
{
	int cells = text_cells(text);

	if (width > COLS - x)
		width = COLS - x;
	if (y >= LINES || width <= 0)
		return;
	mvprintw(y, x, "%*s", width, "");
	move(y, right && cells < width ? x + width - cells : x);
	add_text(text, width);
}

void flow_put(struct flow *flow, chtype attributes, const char *text)
{
	int len = text_cells(text);

	if (flow->x && flow->x + len > COLS) {
		flow->x = 0;
		flow->y++;
	}
	if (flow->y > flow->last)
		return;
	attron(attributes);
	put(flow->y, flow->x, text);
	attroff(attributes);
	flow->x += len + (flow->gap ?: 2);
}

double step_delay(double seconds, bool longer)
{
	static const double steps[] = { 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 3600 };
	int count = sizeof(steps) / sizeof(*steps);

	if (longer) {
		for (int i = 0; i < count; i++)
			if (steps[i] > seconds)
				return steps[i];
	} else {
		for (int i = count - 1; i >= 0; i--)
			if (steps[i] < seconds)
				return steps[i];
	}
	return seconds;
}

int screen_signals(void)
{
	sigset_t caught;

	/* Read signals as input, so that the terminal is restored whatever ends the program. */
	sigemptyset(&caught);
	sigaddset(&caught, SIGINT);
	sigaddset(&caught, SIGTERM);
	sigaddset(&caught, SIGHUP);
	sigaddset(&caught, SIGQUIT);
	sigaddset(&caught, SIGWINCH);
	sigprocmask(SIG_BLOCK, &caught, NULL);
	return signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool screen_signal(int signals)
{
	struct signalfd_siginfo info;
	struct winsize size;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return true;
	if (info.ssi_signo != SIGWINCH)
		return false;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
	return true;
}

bool prompt_key(char *text, unsigned int size, bool any, int key)
{
	size_t len = strlen(text);

	switch (key) {
	case ESCAPE:
		text[0] = '\0';
		return true;
	case '\n':
	case KEY_ENTER:
		return true;
	case KEY_BACKSPACE:
	case '\b':
	case 127:
		/* All bytes of a character. */
		while (len && (text[len - 1] & 0xc0) == 0x80)
			len--;
		if (len)
			text[len - 1] = '\0';
		return false;
	}
	if ((any ? key >= ' ' && key <= UCHAR_MAX : (key >= '0' && key <= '9') || key == '.' || key == ',') &&
	    len + 1 < size) {
		text[len] = key;
		text[len + 1] = '\0';
	}
	return false;
}
