/* SPDX-License-Identifier: GPL-2.0 */
/* A tool is a table of columns and a collector. This is everything else that the engine has to know about it. */
#ifndef MEMATTR_TOOL_H
#define MEMATTR_TOOL_H

#include "args.h"
#include "column.h"
#include "diag.h"
#include "json.h"

struct rows;
struct flow;
struct metrics;

struct tool {
	const char *name;
	const struct column *columns;
	int column_count;
	int fixed;		/* columns at the left that stay when the others are scrolled */
	int sort;		/* the column to sort by at first */

	const struct list_type *lists;
	int list_count;
	const char * const *measures;	/* names of enum measure's bits; NULL ends them */
	int shown_hooks;	/* the hooks after these are not behind any figure */

	/* The collector. open() returns NULL on failure, and @why says why; snapshot() if out of memory. */
	void *(*open)(const struct args *args, struct diag *why);
	struct snapshot *(*snapshot)(void *collector);
	/* A snapshot with what is wanted at the end only; may be NULL. */
	struct snapshot *(*last)(void *collector);
	void (*close)(void *collector);

	/* Computes the figures of a VM or of one of its vCPUs into zeroed memory of this size. */
	size_t figures_size;
	void (*figures)(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long vcpu);
	/* Returns the first vCPU after @vcpu that had an event, or VCPU_ALL. NULL: the tool has VMs only. */
	long (*next_vcpu)(const struct snapshot *s, const struct snapshot_vm *vm, long vcpu);

	/* Says why there is nothing to show. */
	void (*empty_text)(char *text, size_t size, const struct snapshot *now, pid_t pid);
	const struct metrics *metrics;	/* NULL: it has no options to export them */
	const char *see;	/* which question the other tool answers */
	const char *lost_help;	/* what helps against lost events; may be NULL */

	/* What the formats have beyond the columns. Each can be NULL. */
	void (*json_row)(struct json *json, const struct row *row);
	void (*json_end)(struct json *json, const struct snapshot *now, const struct args *args);
	void (*batch_end)(FILE *out, const struct snapshot *now, const struct args *args);
	void (*write_folded)(FILE *out, const struct snapshot *last, pid_t pid);

	/* On the screen: words above the table, and a page of its own, which also fills the rest of a large one. */
	const char *keys, *keys_help;	/* its own keys, in the last line and in the help */
	void (*draw_truth)(struct flow *flow, const struct snapshot *now);
	bool (*has_page)(const struct snapshot *now, const struct args *args);
	/* Draws from line @y to line @end, which is exclusive. Returns the next line. */
	int (*draw_page)(int y, int end, const struct snapshot *now, const struct args *args);
};

/* Runs the tool with arguments that have been read. Returns its exit status. */
int tool_run(const struct tool *tool, struct args *args);

#endif
