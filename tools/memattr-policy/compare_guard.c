// SPDX-License-Identifier: GPL-2.0
/*
 * While a VM tries other policies, its own one waits in a process that nothing but the end of a pipe wakes up. So it
 * comes back even if compare is killed. The link stays the same: whoever holds it, a loader or a pin, notices nothing.
 */
#define _GNU_SOURCE
#include "compare.h"
#include "vm_text.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct guard {
	struct vm vm;
	int link_fd;
	int map_fd;		/* the policy that was there */
	uint32_t map_id;
	int map_vm_fd;		/* where that policy looks for the VM's descriptor */
	int pipe;		/* its end tells the watching process to go to work */
	pid_t pid;
};

/* Runs in a process of its own, for the VM's descriptor must have the number that the policy has stored. */
static int put_back(const struct guard *guard)
{
	int above = guard->map_vm_fd + 1;
	int link_fd = fcntl(guard->link_fd, F_DUPFD_CLOEXEC, above);
	int map_fd = fcntl(guard->map_fd, F_DUPFD_CLOEXEC, above);
	int vm_fd = vm_open(&guard->vm), err;
	struct policy_link link;

	/* Nothing else was tried, or somebody has detached the link. */
	err = policy_link_read(guard->link_fd, &link);
	if (err == -ENOLINK || (!err && link.map_id == guard->map_id))
		return 0;
	/* Without a VM there is nothing to put back. */
	if (vm_fd < 0)
		return vm_fd == -ESRCH ? 0 : -vm_fd;
	if (link_fd < 0 || map_fd < 0 || dup2(vm_fd, guard->map_vm_fd) < 0)
		return errno;
	err = -bpf_link_update(link_fd, map_fd, NULL);
	/* Somebody has detached it just now, or the VM has ended. */
	return err == ENOLINK ? 0 : err;
}

static int report_restore_error(const struct guard *guard, int status)
{
	char text[VM_TEXT_LEN];

	return diag_fail(EXIT_FAILED, "memattr-policy list",
			 "the policy of %s could not be put back: %s", vm_text(&guard->vm, text),
			 WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "the process was killed");
}

int guard_restore(struct guard *guard)
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(put_back(guard));
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return diag_fail(EXIT_FAILED, NULL, "fork: %s", strerror(errno));
	return status ? report_restore_error(guard, status) : EXIT_OK;
}

/* Signals to the group or from the terminal are not for this process. */
static void watch(const struct guard *guard, int pipe)
{
	sigset_t all;
	char c;

	setsid();
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	while (read(pipe, &c, sizeof(c)) < 0 && errno == EINTR)
		;
	_exit(put_back(guard));
}

static int start_watching(struct guard *guard)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return diag_fail(EXIT_FAILED, NULL, "pipe: %s", strerror(errno));
	fflush(NULL);
	guard->pid = fork();
	if (!guard->pid) {
		close(ends[1]);
		watch(guard, ends[0]);
	}
	close(ends[0]);
	guard->pipe = ends[1];
	if (guard->pid > 0)
		return EXIT_OK;
	return diag_fail(EXIT_FAILED, NULL, "fork: %s", strerror(errno));
}

int guard_start(struct guard **started, const struct vm *vm, uint32_t link_id)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	struct policy_link link;
	int err;

	if (!guard)
		return diag_fail(EXIT_FAILED, NULL, "%s", strerror(ENOMEM));
	guard->vm = *vm;
	guard->pipe = -1;
	guard->link_fd = bpf_link_get_fd_by_id(link_id);
	err = guard->link_fd < 0 ? guard->link_fd : policy_link_read(guard->link_fd, &link);
	guard->map_fd = err ? -1 : bpf_map_get_fd_by_id(link.map_id);
	guard->map_id = err ? 0 : link.map_id;
	if (!err)
		err = guard->map_fd < 0 ? guard->map_fd : policy_map_vm_fd(guard->map_fd, &guard->map_vm_fd);
	if (err) {
		free(guard);
		return diag_fail(EXIT_FAILED, "memattr-policy list", "cannot read link %u: %s", link_id,
				 strerror(-err));
	}
	*started = guard;
	return start_watching(guard);
}

int guard_replace(struct guard *guard, int map_fd)
{
	return bpf_link_update(guard->link_fd, map_fd, NULL);
}

int guard_end(struct guard *guard)
{
	int status = 0, ret = EXIT_OK;

	if (!guard)
		return EXIT_OK;
	close(guard->pipe);
	/* Somebody may have killed the process. */
	if (guard->pid <= 0 || waitpid(guard->pid, &status, 0) < 0 || WIFSIGNALED(status))
		ret = guard_restore(guard);
	else if (status)
		ret = report_restore_error(guard, status);
	close(guard->link_fd);
	close(guard->map_fd);
	free(guard);
	return ret;
}
