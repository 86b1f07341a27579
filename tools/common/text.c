// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "text.h"

#include <limits.h>
#include <locale.h>
#include <string.h>

#include "utf8.h"

void text_use_locale(void)
{
	if (!setlocale(LC_CTYPE, ""))
		setlocale(LC_CTYPE, "C.UTF-8");
}

static bool has_character(wchar_t wide)
{
	char bytes[MB_LEN_MAX];
	mbstate_t state = {};

	return wcrtomb(bytes, wide, &state) != (size_t)-1;
}

int text_next(const char **text, wchar_t *wide)
{
	uint32_t code;
	int bytes = utf8_char(*text, &code), cells = -1;

	*text += bytes ?: 1;
	*wide = code;
	if (bytes && !utf8_is_control(code) && has_character(code))
		cells = wcwidth(code);
	if (cells >= 0)
		return cells;
	*wide = L'?';
	return 1;
}

int text_cells(const char *text)
{
	int cells = 0;
	wchar_t wide;

	while (*text)
		cells += text_next(&text, &wide);
	return cells;
}

bool read_decimal(const char *text, double *number)
{
	const char *fraction = text + strspn(text, "0123456789");
	const char *end = fraction;
	double unit = 0.1;

	if (*fraction == '.' || *fraction == ',')
		end += 1 + strspn(fraction + 1, "0123456789");
	/* At least one digit, and nothing else. */
	if (*end || !strpbrk(text, "0123456789"))
		return false;
	*number = 0;
	for (; text < fraction; text++)
		*number = *number * 10 + (*text - '0');
	for (text++; text < end; text++, unit /= 10)
		*number += (*text - '0') * unit;
	return true;
}
