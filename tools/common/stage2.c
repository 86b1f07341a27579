// SPDX-License-Identifier: GPL-2.0
#include "stage2.h"

const char *alias_name(unsigned int alias)
{
	static const char * const words[] = { [ALIAS_SHARED] = "shared", [ALIAS_PRIVATE] = "private" };

	return alias < ALIAS_UNKNOWN ? words[alias] : "unknown";
}

const char *level_name(unsigned int level)
{
	static const char * const words[LEVEL_COUNT] = { "none", "4K", "2M", "1G" };

	return level < LEVEL_COUNT ? words[level] : "unknown";
}
