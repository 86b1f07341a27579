// SPDX-License-Identifier: GPL-2.0
/* The format that a reader of metrics likes best. */
#include "metrics.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RANGE_MAX 256

/* One of the media types that the reader names, with the parameters that matter. */
struct range {
	const char *type, *version;
	double quality;
};

static char *trim(char *text)
{
	text += strspn(text, " \t");
	text[strcspn(text, " \t")] = '\0';
	return text;
}

/* Changes @text, which is "TYPE; version=1.0.0; q=0.5". */
static struct range parse_range(char *text)
{
	struct range range = { .quality = 1 };
	char *save, *part = strtok_r(text, ";", &save);

	range.type = part ? trim(part) : "";
	while ((part = strtok_r(NULL, ";", &save))) {
		part = trim(part);
		if (!strncasecmp(part, "q=", 2))
			range.quality = strtod(part + 2, NULL);
		else if (!strncasecmp(part, "version=", 8))
			range.version = part + 8;
	}
	return range;
}

static bool has_version(const struct range *range, const char *version)
{
	return !range->version || !strcmp(range->version, version);
}

static bool is_openmetrics(const struct range *range)
{
	return !strcasecmp(range->type, "application/openmetrics-text") && has_version(range, "1.0.0");
}

static bool is_text(const struct range *range)
{
	return !strcmp(range->type, "*/*") || !strcasecmp(range->type, "text/*") ||
	       (!strcasecmp(range->type, "text/plain") && has_version(range, "0.0.4"));
}

const struct metrics_format *metrics_format_for(const char *accept)
{
	double openmetrics = 0, text = 0;

	while (accept && *accept) {
		size_t len = strcspn(accept, ",");
		char copy[RANGE_MAX] = "";
		struct range range;

		/* Nothing that we have takes so many letters. */
		if (len < sizeof(copy))
			memcpy(copy, accept, len);
		range = parse_range(copy);
		if (is_openmetrics(&range) && range.quality > openmetrics)
			openmetrics = range.quality;
		if (is_text(&range) && range.quality > text)
			text = range.quality;
		accept += len + (accept[len] == ',');
	}
	return openmetrics > 0 && openmetrics >= text ? &metrics_openmetrics : &metrics_text;
}
