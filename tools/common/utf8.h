/* SPDX-License-Identifier: GPL-2.0 */
/* Characters of UTF-8, as others write them into names. */
#ifndef MEMATTR_UTF8_H
#define MEMATTR_UTF8_H

#include <stdbool.h>
#include <stdint.h>

/* Decodes the character at the start of @text. Returns its bytes, or 0 if it is not valid; 1 at the end. */
static inline int utf8_char(const char *text, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *c = (const unsigned char *)text;
	int bytes = *c < 0x80 ? 1 : *c >> 5 == 6 ? 2 : *c >> 4 == 14 ? 3 : *c >> 3 == 30 ? 4 : 0;

	*code = bytes < 2 ? *c : *c & (0x7f >> bytes);
	for (int i = 1; i < bytes; i++) {
		if (c[i] >> 6 != 2)
			return 0;
		*code = *code << 6 | (c[i] & 0x3f);
	}
	if (bytes && (*code < least[bytes] || *code > 0x10ffff || *code >> 11 == 0xd800 >> 11))
		return 0;
	return bytes;
}

/* C0, DEL and C1: a terminal can take them for a command. */
static inline bool utf8_is_control(uint32_t code)
{
	return code < ' ' || (code >= 0x7f && code < 0xa0);
}

#endif
