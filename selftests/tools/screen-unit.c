// SPDX-License-Identifier: GPL-2.0
/*
 * What the tools' screens make of text and of numbers. Without arguments: tests that need no terminal. "draw TEXT..."
 * draws each text from the left and to the right edge, a figure, and the colours, until a key is pressed.
 */
#define _GNU_SOURCE
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "screen.h"
#include "tap.h"
#include "text.h"

static void test_numbers(void)
{
	static const struct {
		const char *text;
		double number;	/* NAN: it is none */
	} cases[] = {
		{ "0.5", 0.5 }, { "0,5", 0.5 }, { "1", 1 }, { "3600", 3600 }, { ".25", 0.25 }, { ",25", 0.25 },
		{ "2.", 2 }, { "0010,50", 10.5 }, { "0.1", 0.1 }, { "0.45", 0.45 }, { "", NAN }, { ".", NAN }, { ",", NAN }, { "1.2.3", NAN },
		{ "1,000.5", NAN }, { "-1", NAN }, { "+1", NAN }, { " 1", NAN }, { "1 ", NAN }, { "1x", NAN },
		{ "nan", NAN }, { "inf", NAN }, { "0x10", NAN }, { "1e3", NAN }, { "\xd9\xa1", NAN },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double number = NAN;
		bool is_number = read_decimal(cases[i].text, &number);

		ok(is_number == !isnan(cases[i].number) && (!is_number || number == cases[i].number),
		   "the number '%s'", cases[i].text);
	}
}

/* Whether @text is shown as @shown, both in the locale's characters, and takes @cells. */
static bool shows(const char *text, const wchar_t *shown, int cells)
{
	wchar_t wide;

	if (text_cells(text) != cells)
		return complain("'%s' takes %d cells", text, text_cells(text));
	for (; *text; shown++) {
		text_next(&text, &wide);
		if (wide != *shown)
			return complain("U+%04x, not U+%04x", (unsigned int)wide, (unsigned int)*shown);
	}
	return !*shown;
}

static void use_locale(const char *name)
{
	setlocale(LC_ALL, "C");
	setenv("LC_ALL", name, 1);
	text_use_locale();
}

static void test_characters(void)
{
	use_locale("C.UTF-8");
	ok(shows("b\xc3\xbcro-7", L"b\u00fcro-7", 6), "UTF-8");
	ok(shows("\xe4\xbb\xae\xe6\x83\xb3", L"\u4eee\u60f3", 4), "wide characters");
	ok(shows("a\xc3(\xff\xe4\xbb", L"a?(???", 6), "bytes that are not UTF-8: one ? for each");
	ok(shows("a\033[2J\xc2\x9b" "b\x7f", L"a?[2J?b?", 8), "what a terminal would obey");
	ok(shows("e\xcc\x81", L"e\u0301", 1), "a character that takes no cell");

	use_locale("xx_YY.UTF-8");
	ok(shows("b\xc3\xbcro-7", L"b\u00fcro-7", 6), "a locale that is not installed: UTF-8");

	use_locale("C");
	ok(shows("b\xc3\xbcro-7", L"b?ro-7", 6), "a terminal without the character: one ?");
	ok(shows("\xe4\xbb\xae\xe6\x83\xb3", L"??", 2), "two of them: two");
}

static bool type_keys(const char *keys, const char *typed)
{
	char text[8] = "";

	for (; *keys; keys++)
		if (prompt_key(text, sizeof(text), false, *keys))
			break;
	return !strcmp(text, typed) || complain("'%s'", text);
}

static void test_prompt(void)
{
	ok(type_keys("0,5\n", "0,5"), "a prompt takes a decimal comma");
	ok(type_keys("0.5\n", "0.5"), "and a point");
	ok(type_keys("1a-e \t+2\n", "12"), "no letters and signs");
	ok(type_keys("12\b3\n", "13"), "Backspace takes one away");
	ok(type_keys("\b\b3\n", "3"), "but not more than there are");
	ok(type_keys("123456789\n", "1234567"), "no more than there is room for");
	ok(type_keys("12\033", ""), "Esc leaves nothing");
}

static int draw(char **texts)
{
	SCREEN *screen = screen_open();
	char figure[16];
	int y = 0;

	if (!screen)
		return 1;
	snprintf(figure, sizeof(figure), "%.1f s", 0.5);
	for (; *texts; texts++) {
		put(y++, 0, *texts);
		put_cell(y++, 0, COLS, true, *texts);
	}
	put(y++, 0, figure);
	for (enum colour which = COLOUR_WARNING; which <= COLOUR_LOSS; which++) {
		attron(colour(which));
		put(y++, 0, "coloured");
		attroff(colour(which));
	}
	nodelay(stdscr, FALSE);
	refresh();
	getch();
	endwin();
	delscreen(screen);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "draw"))
		return draw(argv + 2);
	test_numbers();
	test_characters();
	test_prompt();
	return finish_tests();
}
