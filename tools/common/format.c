// SPDX-License-Identifier: GPL-2.0
#include "format.h"

#include <stdio.h>

void format_count(char *text, size_t size, double count)
{
	static const char units[] = " kMGTPE";
	const char *unit = units;

	/* 999.5 would round to four digits. */
	while (count >= 999.5 && unit[1]) {
		count /= 1000;
		unit++;
	}
	if (unit > units)
		snprintf(text, size, "%.*f%c", count < 9.995 ? 2 : count < 99.95 ? 1 : 0, count,
			 *unit);
	else if (count > 0 && count < 0.1)
		snprintf(text, size, "<0.1");
	else
		snprintf(text, size, "%.*f", count >= 9.95 || count == (int)count ? 0 : 1, count);
}

void format_bytes(char *text, size_t size, double bytes)
{
	static const char units[] = " KMGTPE";
	const char *unit = units;

	/* 1023.5 would round to 1024 of a unit. */
	while (bytes >= 1023.5 && unit[1]) {
		bytes /= 1024;
		unit++;
	}
	if (unit == units)
		snprintf(text, size, "%.0f", bytes);
	else
		snprintf(text, size, "%.*f%c", bytes < 9.95 && bytes != (int)bytes ? 1 : 0, bytes, *unit);
}

void format_ns(char *text, size_t size, double ns)
{
	static const char * const units[] = { "ns", "us", "ms", "s" };
	int unit = 0;

	while (ns >= 999.5 && unit < 3) {
		ns /= 1000;
		unit++;
	}
	snprintf(text, size, "%.*f%s", unit && ns < 9.95 ? 1 : 0, ns, units[unit]);
}
