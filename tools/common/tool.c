// SPDX-License-Identifier: GPL-2.0
#include "tool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "batch.h"
#include "export.h"
#include "live.h"

static int check_process(const struct tool *tool, struct args *args)
{
	pid_t process;
	char next[64];

	if (!args->pid || args->replay)
		return EXIT_OK;
	process = vm_process(args->pid);
	if (!process && kill(args->pid, 0) && errno == ESRCH) {
		snprintf(next, sizeof(next), "%s -b -n 1, which lists all VMs", tool->name);
		return diag_fail(EXIT_NO_VM, next, "there is no process %d", args->pid);
	}
	/* A thread's number stands for its process. */
	args->pid = process ?: args->pid;
	return EXIT_OK;
}

/* A view has a word and a number. */
static int check_view(const struct tool *tool, struct args *args)
{
	char next[160] = "--view ";

	if (!args->view)
		return EXIT_OK;
	for (args->sheet = 0; args->sheet < tool->sheet_count; args->sheet++) {
		const char digit[] = { '1' + args->sheet, '\0' }, *word = tool->sheets[args->sheet].word;

		if (!strcmp(args->view, digit) || !strcmp(args->view, word))
			break;
		snprintf(next + strlen(next), sizeof(next) - strlen(next), "%s%s", args->sheet ? ", " : "", word);
	}
	if (args->sheet == tool->sheet_count)
		return diag_fail(EXIT_USAGE, next, "there is no view '%s'", args->view);
	return EXIT_OK;
}

int tool_run(const struct tool *tool, struct args *args)
{
	struct source source;
	struct diag why;
	char next[32];
	int status;

	diag_libbpf_init(args->verbose);
	/* A service has no terminal, and prints nothing that somebody would have to rotate. */
	if (!args->format && export_is_wanted(args)) {
		args->format = &table_format;
		args->stdout_is_file = true;
	}
	if (!args->format && (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))) {
		snprintf(next, sizeof(next), "%s -b", tool->name);
		return diag_fail(EXIT_USAGE, next, "the screen needs a terminal");
	}
	status = check_view(tool, args);
	if (!status)
		status = check_process(tool, args);
	if (status)
		return status;
	stop_catch();
	if (!args->format)
		return live_run(tool, args);
	/* Scripts do not depend on what somebody saved on a screen. */
	args->delay_s = args->delay_s ?: DELAY_DEFAULT_S;
	status = source_open(&source, tool, args, &why);
	if (!status)
		return batch_run(tool, &source, args, &system_clock);
	diag_print(&why, status);
	source_close(&source);
	return status;
}
