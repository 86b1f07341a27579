// SPDX-License-Identifier: GPL-2.0
/*
 * Attaches a policy to a VM of another process, or to all VMs, and takes it away again, many times.
 *
 * usage: attach-loop POLICY.bpf.o PID VMFD|all CYCLES [attach|replace|update]
 *
 *	attach	each cycle attaches and detaches
 *	replace	each cycle attaches, updates to a second copy of the policy, and detaches
 *	update	attaches once, says "attached"; each cycle updates to the other of the two copies.
 *		Waits for a SIGUSR1 before the first cycle, and another one before it detaches
 *
 * The policy is loaded once: what is exercised is the kernel's attaching, updating and detaching,
 * while the VM converts memory.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "policy.h"

static struct bpf_link *attach(struct bpf_map *map, int cycle)
{
	struct bpf_link *link = bpf_map__attach_struct_ops(map);

	if (!link)
		err(1, "cycle %d: cannot attach", cycle);
	return link;
}

static void update(struct bpf_link *link, struct bpf_map *map, int cycle)
{
	if (bpf_link__update_map(link, map))
		err(1, "cycle %d: cannot update", cycle);
}

static void detach(struct bpf_link *link, int cycle)
{
	if (bpf_link__destroy(link))
		err(1, "cycle %d: cannot detach", cycle);
}

/* Says it, and waits until it is heard. */
static void say(const char *text)
{
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	printf("%s\n", text);
	fflush(stdout);
	sigwait(&set, &number);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 5 ? argv[5] : "attach";
	int pidfd, cycles, vm_fd = -1, i;
	struct bpf_link *link = NULL;
	struct bpf_map *maps[2];

	if (argc < 5 || argc > 6)
		errx(2, "usage: attach-loop POLICY.bpf.o PID VMFD|all CYCLES [attach|replace|update]");
	if (strcmp(argv[3], "all")) {
		pidfd = syscall(SYS_pidfd_open, atoi(argv[2]), 0);
		if (pidfd < 0)
			err(1, "pid %s", argv[2]);
		vm_fd = syscall(SYS_pidfd_getfd, pidfd, atoi(argv[3]), 0);
		if (vm_fd < 0)
			err(1, "descriptor %s of pid %s", argv[3], argv[2]);
	}
	for (i = 0; i < 2; i++)
		maps[i] = load_policy(argv[1], vm_fd);

	cycles = atoi(argv[4]);
	if (!strcmp(mode, "update")) {
		link = attach(maps[0], 0);
		say("attached");
	}
	for (i = 0; i < cycles; i++) {
		if (!strcmp(mode, "update")) {
			update(link, maps[(i + 1) % 2], i);
			continue;
		}
		link = attach(maps[0], i);
		if (!strcmp(mode, "replace"))
			update(link, maps[1], i);
		detach(link, i);
	}
	if (!strcmp(mode, "update")) {
		say("updated");
		detach(link, i);
	}
	printf("%d cycles\n", i);
	return 0;
}
