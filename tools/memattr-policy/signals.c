// SPDX-License-Identifier: GPL-2.0
/* Signals that end a command in its own way. */
#include "command.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

/*
 * nohup ignores SIGHUP, and a shell SIGINT for what a script runs in the background. That is to
 * hold.
 */
bool signal_is_ignored(int signal)
{
	struct sigaction action;

	return !sigaction(signal, NULL, &action) && action.sa_handler == SIG_IGN;
}

int open_signals(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	sigset_t set;

	sigemptyset(&set);
	/* If a signal is blocked, a signalfd gets it although it is ignored. */
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (!signal_is_ignored(ends[i]))
			sigaddset(&set, ends[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	return signalfd(-1, &set, SFD_CLOEXEC);
}
