/* SPDX-License-Identifier: GPL-2.0 */
/* Where a tool's metrics go: a file for node_exporter, an address for Prometheus, or both. */
#ifndef MEMATTR_EXPORT_H
#define MEMATTR_EXPORT_H

#include "metrics.h"
#include "tool.h"

/* A child for the parser of a tool that has metrics; its input is a struct args. */
extern const struct argp export_argp;

/* Returns whether the tool is to export: then it needs no screen. */
bool export_is_wanted(const struct args *args);

struct exporter {
	struct metrics metrics;
	const char *textfile;
	struct listener *listener;
};

/* Both return EXIT_OK, or another exit status and @why says why. */
int export_open(struct exporter *exporter, const struct tool *tool, const struct args *args, struct diag *why);
int export_snapshot(struct exporter *exporter, struct snapshot *s, struct diag *why);
/* Also closes what was not opened. */
void export_close(struct exporter *exporter);

#endif
