// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "kinds.h"

#include <linux/types.h>
#include <string.h>

#include "events.h"

static const char *word(const char * const *words, unsigned int count, unsigned int which)
{
	return which < count && words[which] ? words[which] : "unknown";
}

#define WORD(words, which) word(words, sizeof(words) / sizeof(*(words)), which)

const char *kind_event(uint8_t event)
{
	static const char * const words[] = {
		[EVENT_FAULT] = "fault",
		[EVENT_CALL] = "call",
		[EVENT_MAP] = "map",
		[EVENT_WINDOW] = "window",
	};

	return WORD(words, event);
}

const char *kind_access(uint8_t access)
{
	static const char * const words[] = {
		[ACCESS_READ] = "read",
		[ACCESS_WRITE] = "write",
		[ACCESS_EXEC] = "exec",
	};

	return WORD(words, access);
}

const char *kind_reason(uint8_t reason)
{
	static const char * const words[] = {
		[REASON_FAULT] = "fault",
		[REASON_CONVERT] = "convert",
		[REASON_IOCTL] = "ioctl",
	};

	return WORD(words, reason);
}

const char *kind_result(uint8_t event, int32_t result)
{
	static const char * const words[] = {
		[RESULT_CONTINUE] = "continue",
		[RESULT_RETRY] = "retry",
		[RESULT_EMULATE] = "emulate",
		[RESULT_WRITE_PROTECTED] = "write-protected",
		[RESULT_INVALID] = "invalid",
		[RESULT_FIXED] = "fixed",
		[RESULT_SPURIOUS] = "spurious",
	};

	if (result < 0)
		return strerrorname_np(-result) ?: "unknown";
	if (event != EVENT_FAULT)
		return "ok";
	return WORD(words, result);
}
