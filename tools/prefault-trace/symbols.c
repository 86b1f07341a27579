// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "symbols.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * kallsyms does not tell where a function ends: at the next symbol, or here if there is none. Few
 * functions are as large.
 */
#define FUNCTION_MAX (64 << 10)

/* Modules seldom come and go. Of more sets of modules than this the oldest is forgotten. */
#define SETS_MAX 16

struct symbol {
	uint64_t address;
	char *name;	/* NULL: it is not a function, but one ends here */
};

struct table {
	struct symbol *list;	/* by address */
	size_t count;
};

struct symbols {
	struct table kernel;
	/* Those of modules: a stack can be from when another module was at an address. */
	struct table sets[SETS_MAX];	/* the latest comes first */
	size_t set_count;
	char *modules;	/* names and addresses of the latest set's modules */
};

static int compare(const void *a, const void *b)
{
	const struct symbol *left = a, *right = b;

	if (left->address != right->address)
		return left->address > right->address ? 1 : -1;
	/* Functions come last, where a search ends. */
	return !!left->name - !!right->name;
}

static void table_free(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->list[i].name);
	free(table->list);
	*table = (struct table){};
}

static int table_add(struct table *table, uint64_t address, const char *name)
{
	char *copy = name ? strdup(name) : NULL;

	/* Double the room each time the list is full. */
	if (!(table->count & (table->count - 1))) {
		size_t room = table->count ? 2 * table->count : 1;
		struct symbol *list = reallocarray(table->list, room, sizeof(*list));

		if (!list) {
			free(copy);
			return -ENOMEM;
		}
		table->list = list;
	}
	table->list[table->count++] = (struct symbol){ address, copy };
	return name && !copy ? -ENOMEM : 0;
}

/* Returns the function's name, or NULL. */
static const char *table_find(const struct table *table, uint64_t address)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->list[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || address - table->list[low - 1].address >= FUNCTION_MAX)
		return NULL;
	return table->list[low - 1].name;
}

static void table_sort(struct table *table)
{
	if (table->count)
		qsort(table->list, table->count, sizeof(*table->list), compare);
}

/* Reads the kernel's symbols if @kernel is not NULL, and those of modules. */
static int read_tables(const char *path, struct table *kernel, struct table *modules)
{
	FILE *file = fopen(path, "re");
	int err = 0;
	char line[512], type, name[256], module[64];
	uint64_t address;

	while (!err && file && fgets(line, sizeof(line), file)) {
		int words = sscanf(line, "%" SCNx64 " %c %255s %63s", &address, &type, name, module);
		struct table *table = words == 4 ? modules : kernel;

		/* If addresses are hidden, all of them are 0. */
		if (words >= 3 && address && table)
			err = table_add(table, address, strchr("tTwW", type) ? name : NULL);
	}
	if (file)
		fclose(file);
	if (kernel)
		table_sort(kernel);
	table_sort(modules);
	return err;
}

/* Returns each module's name and address, or NULL if out of memory. The file tells more, which changes. */
static char *list_modules(const char *path)
{
	char line[4096], name[64], address[32], *list;
	FILE *file = fopen(path, "re"), *out;
	size_t len;

	out = open_memstream(&list, &len);
	while (file && out && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %*s %*s %*s %*s %31s", name, address) == 2)
			fprintf(out, "%s %s\n", name, address);
	if (file)
		fclose(file);
	return out && !fclose(out) ? list : NULL;
}

/* Makes room for one more set of modules' symbols. */
static struct table *next_set(struct symbols *symbols)
{
	if (symbols->set_count == SETS_MAX)
		table_free(&symbols->sets[--symbols->set_count]);
	memmove(symbols->sets + 1, symbols->sets, symbols->set_count++ * sizeof(*symbols->sets));
	symbols->sets[0] = (struct table){};
	return &symbols->sets[0];
}

int symbols_read_from(struct symbols **symbols, const char *kallsyms, const char *modules_path)
{
	char *modules = list_modules(modules_path);
	bool first = !*symbols;

	if (first)
		*symbols = calloc(1, sizeof(**symbols));
	if (!*symbols || !modules) {
		free(modules);
		return -ENOMEM;
	}
	if (!first && !strcmp(modules, (*symbols)->modules)) {
		free(modules);
		return 0;
	}
	free((*symbols)->modules);
	(*symbols)->modules = modules;
	return read_tables(kallsyms, first ? &(*symbols)->kernel : NULL, next_set(*symbols));
}

int symbols_read(struct symbols **symbols)
{
	return symbols_read_from(symbols, "/proc/kallsyms", "/proc/modules");
}

void symbols_free(struct symbols *symbols)
{
	if (!symbols)
		return;
	table_free(&symbols->kernel);
	for (size_t i = 0; i < symbols->set_count; i++)
		table_free(&symbols->sets[i]);
	free(symbols->modules);
	free(symbols);
}

const char *symbols_name(const struct symbols *symbols, uint64_t address)
{
	const char *name = symbols ? table_find(&symbols->kernel, address) : NULL;
	static char number[24];

	for (size_t i = 0; symbols && i < symbols->set_count; i++) {
		const char *other = table_find(&symbols->sets[i], address);

		if (name && other && strcmp(name, other)) {
			name = NULL;
			break;
		}
		name = name ?: other;
	}
	if (name)
		return name;
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
