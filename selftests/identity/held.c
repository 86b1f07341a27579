// SPDX-License-Identifier: GPL-2.0
/*
 * A VM that is held in an unusual, but real way, to look at from outside:
 *
 *	held plain		by its descriptor, as usual
 *	held dup		by three descriptors of this process
 *	held thread		its creator was a thread, EXTRA, which has ended
 *	held reuse		another VM had the same descriptor before, lives on by a vCPU, EXTRA, and has the
 *				folder in debugfs
 *	held fork		by a child, EXTRA, as well
 *	held keep-vm		a child, EXTRA, outlives this process and has only the VM's descriptor, or a
 *	held keep-vcpu		vCPU's, or one of the VM's statistics, or a guest_memfd
 *	held keep-stats
 *	held keep-gmem
 *
 * At first it says "vms FD EXTRA". Then it does what standard input says, with one line of answer each, "ok" or an
 * errno's name, and ends with its input:
 *
 *	private GFN PAGES	KVM_SET_MEMORY_ATTRIBUTES
 *	shared GFN PAGES
 *	child-as PID		begins a child of this number, which ends with this process
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "testvm.h"

#define GMEM_SIZE	(BLOCK_PAGES * PAGE)

static int vm_fd, extra = -1;

static void hold_plain(void)
{
	vm_fd = create_protected_vm_fd();
}

static void hold_dup(void)
{
	hold_plain();
	extra = check(dup(vm_fd), "dup");
	check(dup(vm_fd), "dup");
}

static void *create_in_thread(void *unused)
{
	(void)unused;
	extra = gettid();
	hold_plain();
	return NULL;
}

static void hold_by_ended_thread(void)
{
	pthread_join(start_thread(create_in_thread, NULL), NULL);
}

static void hold_reused(void)
{
	int older = create_protected_vm_fd();

	extra = create_vcpu_fd(older, 0, NULL);
	close(older);
	hold_plain();
	if (vm_fd != older)
		failed("the next VM has another descriptor");
}

/*
 * A child that has no descriptor but @fd, or all if that is -1. It does not keep the test's pipes
 * open.
 */
static pid_t hold_in_child(int fd)
{
	pid_t child = check(fork(), "fork");

	if (child)
		return child;
	prctl(PR_SET_NAME, "keeper");
	if (fd >= 0) {
		close_range(0, fd - 1, 0);
		close_range(fd + 1, ~0U, 0);
	} else {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_range(0, 2, 0);
	}
	for (;;)
		pause();
}

static void hold_forked(void)
{
	hold_plain();
	extra = hold_in_child(-1);
}

static void keep(int (*open_other)(int vm_fd))
{
	int fd;

	hold_plain();
	fd = open_other ? open_other(vm_fd) : vm_fd;
	extra = hold_in_child(fd);
	if (fd != vm_fd)
		close(fd);
}

static int open_vcpu(int vm)
{
	return create_vcpu_fd(vm, 0, NULL);
}

static int open_statistics(int vm)
{
	return check(ioctl(vm, KVM_GET_STATS_FD, NULL), "KVM_GET_STATS_FD");
}

static int open_gmem(int vm)
{
	return create_gmem(vm, GMEM_SIZE);
}

static void keep_vm(void)
{
	keep(NULL);
}

static void keep_vcpu(void)
{
	keep(open_vcpu);
}

static void keep_stats(void)
{
	keep(open_statistics);
}

static void keep_gmem(void)
{
	keep(open_gmem);
}

static int begin_child_as(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1,
	};
	long child = syscall(SYS_clone3, &args, sizeof(args));

	if (child < 0)
		return errno;
	if (child)
		return 0;
	prctl(PR_SET_NAME, "innocent");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It has nothing to do with the VM, and does not keep the test's pipes open. */
	close_range(0, ~0U, 0);
	for (;;)
		pause();
}

static int command(const char *line)
{
	long long gfn, pages;
	int pid;

	if (sscanf(line, "private %lli %lli", &gfn, &pages) == 2)
		return try_set_attributes(vm_fd, gfn * PAGE, pages * PAGE, PRIVATE);
	if (sscanf(line, "shared %lli %lli", &gfn, &pages) == 2)
		return try_set_attributes(vm_fd, gfn * PAGE, pages * PAGE, 0);
	if (sscanf(line, "child-as %d", &pid) == 1)
		return begin_child_as(pid);
	return ENOSYS;
}

static const struct mode {
	const char *name;
	void (*hold)(void);
} modes[] = {
	{ "plain", hold_plain },
	{ "dup", hold_dup },
	{ "thread", hold_by_ended_thread },
	{ "reuse", hold_reused },
	{ "fork", hold_forked },
	{ "keep-vm", keep_vm },
	{ "keep-vcpu", keep_vcpu },
	{ "keep-stats", keep_stats },
	{ "keep-gmem", keep_gmem },
};

static const struct mode *find_mode(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(modes); i++)
		if (!strcmp(modes[i].name, name))
			return &modes[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct mode *mode = find_mode(argc == 2 ? argv[1] : NULL);
	char line[128];

	if (!mode)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	mode->hold();
	printf("vms %d %d\n", vm_fd, extra);
	while (fgets(line, sizeof(line), stdin)) {
		int err = command(line);

		printf("%s\n", err ? strerrorname_np(err) : "ok");
	}
	return 0;
}
