/* SPDX-License-Identifier: GPL-2.0 */
/* Text as a terminal shows it, and numbers as people write them. */
#ifndef MEMATTR_TEXT_H
#define MEMATTR_TEXT_H

#include <stdbool.h>
#include <wchar.h>

/*
 * Takes the terminal's characters from the environment, and nothing else: figures look the same everywhere. If
 * that locale is not installed, takes UTF-8, which is the most likely one.
 */
void text_use_locale(void);

/*
 * Takes a character off the beginning of @text, which is UTF-8 whatever the locale is. Returns the cells that
 * @wide, the character, takes on the terminal. Bytes that are not valid, and characters that the terminal does
 * not have or would obey, become a "?" each.
 */
int text_next(const char **text, wchar_t *wide);

/* The cells that all of it takes. */
int text_cells(const char *text);

/* Reads digits with a decimal point or a decimal comma, in every locale. Returns false if @text is anything else. */
bool read_decimal(const char *text, double *number);

#endif
