/* SPDX-License-Identifier: GPL-2.0 */
/* A tool is some tables of columns and a collector. This is everything else that the engine has to know about it. */
#ifndef MEMATTR_TOOL_H
#define MEMATTR_TOOL_H

#include "args.h"
#include "column.h"
#include "diag.h"
#include "json.h"

struct rows;
struct flow;
struct metrics;

#define SHEETS_MAX 9	/* each has a digit as its key */
#define COLUMNS_MAX 64	/* no sheet has more */

/* One table of a tool; the manual calls it a view. Its rows are VMs, or parts of VMs such as vCPUs. */
struct sheet {
	const char *word;	/* "vcpus": for --view, and the name of the parts in JSON */
	const char *noun;	/* "vCPU": what a row is */
	const char *subject;	/* "zaps": what it tells of the rows; NULL: the rows are all that there is to say */
	const char *help;
	const struct column *columns;
	int column_count;
	int fixed;		/* columns at the left that stay when the others are scrolled */
	int sort;		/* the column to sort by at first */
	int enter;		/* the sheet that shows more of a row's VM; 0: there is none */
	unsigned int measures;	/* bits of the tool's enum measure: what has to be collected for it */
	unsigned int metrics;	/* bits of its enum metric: whose hooks it names */

	/* Computes the figures of a VM, or of a part of it, into zeroed memory of this size. */
	size_t figures_size;
	void (*figures)(void *figures, const struct pair *pair, const struct snapshot_vm *vm, long part);
	/* Returns the first part after @part that had an event, or ALL_PARTS. NULL: rows are VMs. */
	long (*next_part)(const struct snapshot *s, const struct snapshot_vm *vm, long part);
	/* Returns the count whose history a column of the sheet shows. */
	uint64_t (*trend)(const struct snapshot_vm *vm);
	/* Adds what JSON has beyond the columns; may be NULL. */
	void (*json_row)(struct json *json, const struct row *row);

	/* On the screen, draws something else than a table, of @vm or of all VMs for NULL; and its keys, false: not one of them. */
	void (*draw)(int y, int end, const struct pair *pair, const struct snapshot_vm *vm);
	bool (*key)(int key, const struct pair *pair, const struct snapshot_vm *vm);
	const char *keys;	/* in the last line; NULL: only those of the tool */
	/* Draws what else there is of @only, or of all VMs for NULL, below the table; NULL: the tool's page is there. */
	int (*draw_below)(int y, int end, const struct snapshot *now, const struct args *args,
			  const struct snapshot_vm *only);
};

/* What every tool defines under these names: all that is needed of it without a kernel and a screen. */
#define TOOL_TABLES(tool_name, tool_lists) \
	.name = (tool_name), .sheets = sheets, .sheet_count = SHEET_COUNT, .lists = (tool_lists), \
	.list_count = LIST_COUNT, .measures = measures

struct tool {
	const char *name;
	const struct sheet *sheets;
	int sheet_count;

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
	/*
	 * Says which measures somebody looks at: others need not be collected. @vm is the one that is looked at most
	 * closely, or NULL. NULL: everything always is.
	 */
	void (*want)(void *collector, unsigned int measures, const struct snapshot_vm *vm);

	/* Says why there is nothing to show. */
	void (*empty_text)(char *text, size_t size, const struct snapshot *now, pid_t pid);
	const struct metrics *metrics;	/* NULL: it has no options to export them */
	const char *see;	/* which question the other tool answers */
	const char *lost_help;	/* what helps against lost events; may be NULL */

	/* What the formats have beyond the columns. Each can be NULL. */
	void (*json_end)(struct json *json, const struct snapshot *now, const struct args *args);
	void (*batch_end)(FILE *out, const struct snapshot *now, const struct args *args);
	void (*write_folded)(FILE *out, const struct snapshot *last, pid_t pid);

	/* On the screen: words in the line above the table, and a page of its own, which also fills the rest of a large one. */
	const char *keys, *keys_help;	/* its own keys, in the last line and in the help */
	/*
	 * What the operator must not miss: saw() looks for it in each snapshot that is shown, alert() formats what is
	 * not yet acknowledged, and returns false if there is no such thing. NULL: there never is.
	 */
	void (*saw)(const struct snapshot *now);
	bool (*alert)(char *text, size_t size);
	void (*acknowledge)(void);
	void (*draw_more)(struct flow *flow, const struct snapshot *now);
	bool (*has_page)(const struct snapshot *now, const struct args *args);
	/* Draws from line @y to line @end, which is exclusive. Returns the next line. */
	int (*draw_page)(int y, int end, const struct snapshot *now, const struct args *args);
};

/* Runs the tool with arguments that have been read. Returns its exit status. */
int tool_run(const struct tool *tool, struct args *args);

#endif
