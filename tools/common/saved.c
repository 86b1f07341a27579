// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "saved.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "text.h"

#define WORD_LEN 32

/* Returns false if there is no place for it. */
static bool file_name(const struct tool *tool, char *path, size_t size)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int len;

	if (config && *config == '/')
		len = snprintf(path, size, "%s/memattr/%s", config, tool->name);
	else if (home && *home == '/')
		len = snprintf(path, size, "%s/.config/memattr/%s", home, tool->name);
	else
		return false;
	return len < (int)size;
}

static int sheet_named(const struct tool *tool, const char *word)
{
	for (int i = 0; i < tool->sheet_count; i++)
		if (!strcmp(tool->sheets[i].word, word))
			return i;
	return -1;
}

static int column_named(const struct sheet *sheet, const char *key)
{
	for (int i = 0; i < sheet->column_count; i++)
		if (!strcmp(sheet->columns[i].key, key))
			return i;
	return -1;
}

static void read_order(const struct tool *tool, struct saved *saved, const char *view, const char *key, bool reverse)
{
	int sheet = sheet_named(tool, view), column = sheet < 0 ? -1 : column_named(&tool->sheets[sheet], key);

	if (column >= 0)
		saved->orders[sheet] = (struct saved_order){ column, reverse };
}

static void read_line(const struct tool *tool, struct saved *saved, const char *line)
{
	char word[WORD_LEN], value[WORD_LEN], third[WORD_LEN];
	int count = sscanf(line, "%31s %31s %31s", word, value, third);
	double delay_s;

	if (count == 2 && !strcmp(word, "delay") && read_decimal(value, &delay_s) && delay_s >= DELAY_MIN_S &&
	    delay_s <= DELAY_MAX_S)
		saved->delay_s = delay_s;
	else if (count == 2 && !strcmp(word, "view") && sheet_named(tool, value) >= 0)
		saved->sheet = sheet_named(tool, value);
	else if (count == 1 && !strcmp(word, "totals"))
		saved->totals = true;
	else if (count == 3 && (!strcmp(word, "sort") || !strcmp(word, "reverse")))
		read_order(tool, saved, value, third, *word == 'r');
}

void saved_read(const struct tool *tool, struct saved *saved)
{
	char path[PATH_MAX], *line = NULL;
	size_t size = 0;
	FILE *file = file_name(tool, path, sizeof(path)) ? fopen(path, "re") : NULL;

	while (file && getline(&line, &size, file) >= 0)
		read_line(tool, saved, line);
	free(line);
	if (file)
		fclose(file);
}

/* Makes the folders of the file, of which the first one is there. */
static void make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
}

static void write_lines(FILE *file, const struct tool *tool, const struct saved *saved)
{
	fprintf(file, "delay %g\nview %s\n%s", saved->delay_s, tool->sheets[saved->sheet].word,
		saved->totals ? "totals\n" : "");
	for (int i = 0; i < tool->sheet_count; i++)
		if (tool->sheets[i].column_count)
			fprintf(file, "%s %s %s\n", saved->orders[i].reverse ? "reverse" : "sort", tool->sheets[i].word,
				tool->sheets[i].columns[saved->orders[i].sort].key);
}

int saved_write(const struct tool *tool, const struct saved *saved, char *path, size_t size)
{
	char new[PATH_MAX + 8];
	FILE *file;
	int err = 0;

	if (!file_name(tool, path, size))
		return -ENOENT;
	make_folders(path);
	snprintf(new, sizeof(new), "%s.new", path);
	file = fopen(new, "we");
	if (!file)
		return -errno;
	write_lines(file, tool, saved);
	/* The old file stays until the new one is complete. */
	if (ferror(file))
		err = -EIO;
	if (fclose(file) && !err)
		err = -errno;
	if (!err && rename(new, path))
		err = -errno;
	if (err)
		remove(new);
	return err;
}
