// SPDX-License-Identifier: GPL-2.0
#include "export.h"

#include <stdio.h>
#include <string.h>

#include "listen.h"
#include "textfile.h"

enum {
	KEY_TEXTFILE = 512,	/* apart from those of args.c */
	KEY_LISTEN,
	KEY_BY_REASON,
};

static const struct argp_option options[] = {
	{ .name = "textfile", .key = KEY_TEXTFILE, .arg = "FILE",
	  .doc = "write metrics to FILE, which ends in .prom, for node_exporter; without -b, -j or --csv nothing is shown" },
	{ .name = "listen", .key = KEY_LISTEN, .arg = "[ADDRESS]:PORT",
	  .doc = "serve metrics to Prometheus, at 127.0.0.1 unless there is an ADDRESS; shows as little" },
	{ .name = "by-reason", .key = KEY_BY_REASON,
	  .doc = "also export exits by reason and faults by kind, which are many more metrics" },
	{ }
};

static void check_textfile(const char *name, struct argp_state *state)
{
	size_t len = strlen(name), ending = strlen(TEXTFILE_ENDING);

	if (len <= ending || strcmp(name + len - ending, TEXTFILE_ENDING) != 0)
		argp_error(state, "node_exporter reads no file like %s: its name has to end in " TEXTFILE_ENDING, name);
}

static void check_listen(const char *text, struct argp_state *state)
{
	struct sockaddr_storage address;
	socklen_t size;

	if (!listen_parse(text, &address, &size))
		argp_error(state, "'%s' is not an address and a port, as in :9123, 192.0.2.1:9123 or [::1]:9123", text);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case KEY_TEXTFILE:
		check_textfile(arg, state);
		args->textfile = arg;
		return 0;
	case KEY_LISTEN:
		check_listen(arg, state);
		args->listen = arg;
		return 0;
	case KEY_BY_REASON:
		args->by_reason = true;
		return 0;
	case ARGP_KEY_END:
		if (args->by_reason && !export_is_wanted(args))
			argp_error(state, "--by-reason needs --textfile or --listen");
		if (args->listen && args->replay)
			argp_error(state, "--listen and --replay exclude each other: a record is over at once");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp export_argp = { .options = options, .parser = parse_option };

bool export_is_wanted(const struct args *args)
{
	return args->textfile || args->listen;
}

int export_open(struct exporter *exporter, const struct tool *tool, const struct args *args, struct diag *why)
{
	*exporter = (struct exporter){ .textfile = args->textfile };
	if (!export_is_wanted(args))
		return EXIT_OK;
	exporter->metrics = *tool->metrics;
	exporter->metrics.pid = args->pid;
	exporter->metrics.parts = args->by_reason;
	if (!args->listen)
		return EXIT_OK;
	exporter->listener = listen_open(args->listen, &exporter->metrics, why);
	if (!exporter->listener)
		return EXIT_FAILED;
	fprintf(stderr, "%s: metrics are served on %s\n", tool->name, args->listen);
	return EXIT_OK;
}

int export_snapshot(struct exporter *exporter, struct snapshot *s, struct diag *why)
{
	int err = 0;

	if (exporter->listener)
		listen_publish(exporter->listener, s);
	if (exporter->textfile)
		err = textfile_write(exporter->textfile, &exporter->metrics, s);
	if (!err)
		return EXIT_OK;
	diag_set(why, "a file in a directory that you may write to, and that has room", "cannot write %s: %s",
		 exporter->textfile, strerror(-err));
	return EXIT_FAILED;
}

void export_close(struct exporter *exporter)
{
	listen_close(exporter->listener);
	*exporter = (struct exporter){};
}
