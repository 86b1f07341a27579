// SPDX-License-Identifier: GPL-2.0
#include "json.h"
#include "utf8.h"

#include <inttypes.h>

/*
 * Others choose the text: make it valid JSON, and pass nothing on that a terminal takes for a
 * command.
 */
static void json_quote(struct json *json, const char *text)
{
	uint32_t code;

	fputc('"', json->out);
	while (*text) {
		int bytes = utf8_char(text, &code);

		if (!bytes)
			fputs("\\ufffd", json->out);
		else if (code == '"' || code == '\\')
			fprintf(json->out, "\\%c", *text);
		else if (utf8_is_control(code))
			fprintf(json->out, "\\u%04x", code);
		else
			fwrite(text, bytes, 1, json->out);
		text += bytes ?: 1;
	}
	fputc('"', json->out);
}

static void json_before(struct json *json, const char *key)
{
	if (json->comma)
		fputc(',', json->out);
	json->comma = true;
	if (key) {
		json_quote(json, key);
		fputc(':', json->out);
	}
}

static void json_open(struct json *json, const char *key, char bracket)
{
	json_before(json, key);
	fputc(bracket, json->out);
	json->comma = false;
}

static void json_close(struct json *json, char bracket)
{
	fputc(bracket, json->out);
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
	json_before(json, key);
	fprintf(json->out, "%" PRIu64, value);
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
