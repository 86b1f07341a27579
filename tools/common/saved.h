/* SPDX-License-Identifier: GPL-2.0 */
/* What the key W saves: how the screen looked, for the tool's next start. */
#ifndef MEMATTR_SAVED_H
#define MEMATTR_SAVED_H

#include "tool.h"

struct saved {
	double delay_s;		/* 0: not saved */
	bool totals;
	int sheet;
	struct saved_order {
		int sort;	/* column */
		bool reverse;
	} orders[SHEETS_MAX];
};

/*
 * Reads $XDG_CONFIG_HOME/memattr/TOOL, or ~/.config/memattr/TOOL. What is missing there, or is not known any more,
 * keeps its value.
 */
void saved_read(const struct tool *tool, struct saved *saved);

/* Writes that file, and its folder if need be. Returns 0 or -errno; @path is the file's name. */
int saved_write(const struct tool *tool, const struct saved *saved, char *path, size_t size);

#endif
