/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writes JSON to a stream at once, without a tree in memory. The caller opens and closes objects and arrays
 * in order; commas, quotes and escapes are written here. @key is NULL for array elements and for the
 * outermost value.
 */
#ifndef MEMATTR_JSON_H
#define MEMATTR_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	bool comma;	/* the next value follows another one of the same object or array */
};

void json_object(struct json *json, const char *key);
void json_object_end(struct json *json);
void json_array(struct json *json, const char *key);
void json_array_end(struct json *json);

void json_string(struct json *json, const char *key, const char *value);
void json_u64(struct json *json, const char *key, uint64_t value);
/* Null if the figure is not known. */
void json_figure(struct json *json, const char *key, uint64_t value, bool known);
void json_s64(struct json *json, const char *key, int64_t value);
/* With six decimals. @value is finite. */
void json_real(struct json *json, const char *key, double value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

/* Ends the line after the outermost value: what follows is a new document. */
void json_newline(struct json *json);

#endif
