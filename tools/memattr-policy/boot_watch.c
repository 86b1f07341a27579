// SPDX-License-Identifier: GPL-2.0
/*
 * watch: attaches the policies of policies.d to VMs as they are created, and when KVM is loaded. The kernel
 * tells of both by events of the device /dev/kvm.
 */
#define _GNU_SOURCE
#include "boot_apply.h"
#include "boot_rules.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define KVM_DEVICE "@/devices/virtual/misc/kvm"
#define KERNEL_EVENTS 1		/* the group in which the kernel itself sends */
#define EVENT_MAX 4096

/* After this many passes, each of which waits twice as long, the descriptor does not come any more. */
#define FIRST_WAIT_MS 5
#define PASSES_MAX 8

enum kvm_event { EVENT_OTHER, EVENT_VM, EVENT_KVM };

static int open_events(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_EVENTS };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* An event is ACTION@DEVICE, followed by NAME=VALUE, each of which ends in a zero byte. */
static enum kvm_event event_kind(const char *event, size_t len)
{
	const char *device = strchrnul(event, '@');

	if (strcmp(device, KVM_DEVICE))
		return EVENT_OTHER;
	if (!strncmp(event, "add@", 4))
		return EVENT_KVM;
	for (const char *text = event; text < event + len; text += strlen(text) + 1)
		if (!strcmp(text, "EVENT=create"))
			return EVENT_VM;
	return EVENT_OTHER;
}

/* Returns the next event's kind, or -errno. */
static int next_event(int fd)
{
	char event[EVENT_MAX + 1];
	struct sockaddr_nl from = {};
	socklen_t from_len = sizeof(from);
	ssize_t len;

	len = recvfrom(fd, event, EVENT_MAX, 0, (struct sockaddr *)&from, &from_len);
	/* Events were lost, maybe one of KVM's. */
	if (len < 0 && errno == ENOBUFS)
		return EVENT_KVM;
	if (len < 0)
		return errno == EINTR ? EVENT_OTHER : -errno;
	/* Anybody can send; the kernel's own events come from port 0. */
	if (from.nl_pid)
		return EVENT_OTHER;
	event[len] = '\0';
	return event_kind(event, len);
}

/*
 * Makes one pass in a process of its own, because loading a policy blocks signals. Returns whether another
 * pass must follow.
 */
static bool pass_once(const char *dir, bool all)
{
	struct boot_pass pass = { .dir = dir, .all = all };
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child) {
		boot_apply(&pass);
		fflush(NULL);
		_exit(pass.pending);
	}
	if (child < 0) {
		diag_fail(EXIT_FAILED, NULL, "cannot start a process: %s", strerror(errno));
		return false;
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status);
}

static void attach_missing(const char *dir, bool all)
{
	int wait_ms = FIRST_WAIT_MS;

	/* Without policies there is nothing to attach, and a stock kernel's VMs need not hear it each time. */
	if (!diag_has(DIAG_KVM, NULL) || (!all && !diag_has(DIAG_MEMATTR, NULL)))
		return;
	for (int i = 0; i < PASSES_MAX && pass_once(dir, all); i++) {
		poll(NULL, 0, wait_ms);
		wait_ms *= 2;
	}
}

int command_watch(const struct options *options)
{
	const char *dir = options->file ?: BOOT_RULES_DIR;
	int fd = open_events(), kind = EVENT_KVM;

	if (fd < 0)
		return diag_fail(EXIT_SYSTEM, NULL, "cannot listen to the kernel's events: %s",
				 strerror(-fd));
	/* From here on no event is missed: what is there already is looked at first. */
	for (;;) {
		if (kind != EVENT_OTHER)
			attach_missing(dir, kind == EVENT_KVM);
		kind = next_event(fd);
		if (kind < 0)
			return diag_fail(EXIT_FAILED, NULL, "cannot read the kernel's events: %s",
					 strerror(-kind));
	}
}
