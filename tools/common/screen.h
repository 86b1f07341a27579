/* SPDX-License-Identifier: GPL-2.0 */
/* What the tools' screens have in common. Only for those that are linked with ncurses. */
#ifndef MEMATTR_SCREEN_H
#define MEMATTR_SCREEN_H

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <stdbool.h>
#include <stdint.h>

#define ESCAPE		27
#define CONTROL(key)	((key) & 0x1f)

enum colour {
	COLOUR_WARNING = 1,
	COLOUR_LOSS,
};

/* NULL: the terminal's type is not known. Colours unless NO_COLOR is set and not empty. */
SCREEN *screen_open(void);

/* Bold as well, for terminals without colours. */
chtype colour(enum colour which);

/* Both cut at the edge of the screen. put_cell() fills @width cells, with text of no more than those. */
void put(int y, int x, const char *text);
void put_cell(int y, int x, int width, bool right, const char *text);

/* Where the next piece of text goes; a piece that does not fit begins a line. */
struct flow {
	int y, x, last;
};

void flow_put(struct flow *flow, chtype attributes, const char *text);

/* The next of the steps that a person would take, 0.1 0.2 0.5 1 2 5 10 ...; @seconds if there is none. */
double step_delay(double seconds, bool longer);

/* Signals that end a program, or tell of another size of the terminal, as a descriptor to read from. */
int screen_signals(void);

/* Takes one from it. False: it says to end. */
bool screen_signal(int signals);

/*
 * A key of the prompt for a number. True: it is answered, and @text empty if it was left, else what was
 * typed.
 */
bool prompt_key(char *text, unsigned int size, int key);

#endif
