// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "symbols.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct symbol {
	uint64_t address;
	char *name;
};

struct symbols {
	struct symbol *list;	/* by address */
	size_t count;
};

static int compare(const void *a, const void *b)
{
	const struct symbol *left = a, *right = b;

	return (left->address > right->address) - (left->address < right->address);
}

static int add(struct symbols *symbols, uint64_t address, const char *name)
{
	/* Double the room each time the list is full. */
	if (!(symbols->count & (symbols->count - 1))) {
		size_t room = symbols->count ? 2 * symbols->count : 1;
		struct symbol *list = reallocarray(symbols->list, room, sizeof(*list));

		if (!list)
			return -1;
		symbols->list = list;
	}
	symbols->list[symbols->count] = (struct symbol){ address, strdup(name) };
	return symbols->list[symbols->count++].name ? 0 : -1;
}

struct symbols *symbols_read(void)
{
	struct symbols *symbols = calloc(1, sizeof(*symbols));
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[512], type, name[256];
	uint64_t address;

	while (symbols && file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 " %c %255s", &address, &type, name) != 3)
			continue;
		/* Keep symbols of code only. If addresses are hidden, all of them are 0. */
		if (address && strchr("tTwW", type) && add(symbols, address, name)) {
			symbols_free(symbols);
			symbols = NULL;
		}
	}
	if (file)
		fclose(file);
	if (symbols && symbols->count)
		qsort(symbols->list, symbols->count, sizeof(*symbols->list), compare);
	return symbols;
}

void symbols_free(struct symbols *symbols)
{
	if (!symbols)
		return;
	for (size_t i = 0; i < symbols->count; i++)
		free(symbols->list[i].name);
	free(symbols->list);
	free(symbols);
}

const char *symbols_name(const struct symbols *symbols, uint64_t address)
{
	size_t low = 0, high = symbols ? symbols->count : 0;
	static char number[24];

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols->list[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low)
		return symbols->list[low - 1].name;
	snprintf(number, sizeof(number), "0x%" PRIx64, address);
	return number;
}

bool symbols_is_tracing(const char *name)
{
	static const char * const prefixes[] = {
		"bpf_prog_", "bpf_trace_run", "bpf_trampoline_", "bpf_get_stack", "__bpf_",
		"__traceiter_", "__do_trace_", "__probestub_",
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}
