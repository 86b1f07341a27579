// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "json.h"
#include "utf8.h"

#include <inttypes.h>

/* Most characters are like this, and are passed on without a thought. */
static bool is_plain(char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

/*
 * Others choose the text: make it valid JSON, and pass nothing on that a terminal takes for a
 * command.
 */
static void json_quote(struct json *json, const char *text)
{
	uint32_t code;

	putc_unlocked('"', json->out);
	while (*text) {
		int bytes = is_plain(*text) ? 1 : utf8_char(text, &code);

		if (is_plain(*text))
			putc_unlocked(*text, json->out);
		else if (!bytes)
			fputs("\\ufffd", json->out);
		else if (code == '"' || code == '\\')
			fprintf(json->out, "\\%c", *text);
		else if (utf8_is_control(code))
			fprintf(json->out, "\\u%04x", code);
		else
			fwrite(text, bytes, 1, json->out);
		text += bytes ?: 1;
	}
	putc_unlocked('"', json->out);
}

/* Keys are our own: they need no escapes. */
static void json_before(struct json *json, const char *key)
{
	if (json->comma)
		putc_unlocked(',', json->out);
	json->comma = true;
	if (key) {
		putc_unlocked('"', json->out);
		fputs_unlocked(key, json->out);
		fputs_unlocked("\":", json->out);
	}
}

static void json_open(struct json *json, const char *key, char bracket)
{
	json_before(json, key);
	putc_unlocked(bracket, json->out);
	json->comma = false;
}

static void json_close(struct json *json, char bracket)
{
	putc_unlocked(bracket, json->out);
	json->comma = true;
}

void json_object(struct json *json, const char *key)
{
	json_open(json, key, '{');
}

void json_object_end(struct json *json)
{
	json_close(json, '}');
}

void json_array(struct json *json, const char *key)
{
	json_open(json, key, '[');
}

void json_array_end(struct json *json)
{
	json_close(json, ']');
}

void json_string(struct json *json, const char *key, const char *value)
{
	json_before(json, key);
	json_quote(json, value);
}

void json_u64(struct json *json, const char *key, uint64_t value)
{
	char digits[20];
	int at = sizeof(digits);

	json_before(json, key);
	/* A document can have a million numbers. */
	do {
		digits[--at] = '0' + value % 10;
		value /= 10;
	} while (value);
	fwrite_unlocked(digits + at, 1, sizeof(digits) - at, json->out);
}

void json_figure(struct json *json, const char *key, uint64_t value, bool known)
{
	if (known)
		json_u64(json, key, value);
	else
		json_null(json, key);
}

void json_s64(struct json *json, const char *key, int64_t value)
{
	json_before(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void json_real(struct json *json, const char *key, double value)
{
	json_before(json, key);
	fprintf(json->out, "%.6f", value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	json_before(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key)
{
	json_before(json, key);
	fputs("null", json->out);
}

void json_newline(struct json *json)
{
	fputc('\n', json->out);
	json->comma = false;
}
