/* SPDX-License-Identifier: GPL-2.0 */
/* The tools' screens share these functions. Only tools that are linked with ncurses can use them. */
#ifndef MEMATTR_SCREEN_H
#define MEMATTR_SCREEN_H

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A press and a release that are read at once may be one event, or two for one KEY_MOUSE: call getmouse() until it has
 * no more.
 */
#define MOUSE_CLICK (BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON1_DOUBLE_CLICKED | BUTTON1_TRIPLE_CLICKED)
#define ESCAPE		27
#define CONTROL(key)	((key) & 0x1f)

enum colour {
	COLOUR_WARNING = 1,
	COLOUR_LOSS,
	COLOUR_PRIVATE,	/* memory that the host cannot see */
};

/*
 * Returns NULL if the terminal's type is not known, or if it cannot move its cursor. There are colours unless
 * NO_COLOR is set and not empty.
 */
SCREEN *screen_open(void);

/* Returns the colour with bold, for terminals without colours. */
chtype colour(enum colour which);
/* Returns the colour alone, or nothing on terminals without colours. */
chtype tint_of(enum colour which);

/* Both cut the text at the edge of the screen. put_cell() cuts or pads it to @width cells. */
void put(int y, int x, const char *text);
void put_cell(int y, int x, int width, bool right, const char *text);

/* Where the next piece of text goes. A piece that does not fit starts a new line. */
struct flow {
	int y, x, last;
	int gap;	/* cells between pieces; 0: two */
};

void flow_put(struct flow *flow, chtype attributes, const char *text);

/* Returns the next longer or shorter of 0.1 0.2 0.5 1 2 5 10 ..., or @seconds if there is none. */
double step_delay(double seconds, bool longer);

/*
 * Returns a descriptor to read signals from: those that end the program, and changes of the
 * terminal's size.
 */
int screen_signals(void);

/* Reads one signal from the descriptor. Returns false if the signal ends the program. */
bool screen_signal(int signals);

/*
 * Handles a key in the prompt for a number, or for any text. Returns true if the key ends the prompt: @text is then what was
 * typed, or empty if the prompt was cancelled.
 */
bool prompt_key(char *text, unsigned int size, bool any, int key);

#endif
