// SPDX-License-Identifier: GPL-2.0
/* load: attaches a policy, and runs until the policy is no longer attached. */
#define _GNU_SOURCE
#include "attach.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static int report_busy_all(const struct policy *policy)
{
	struct policy_link other;

	if (policy_link_of_all(&other))
		return diag_fail(EXIT_BUSY, "memattr-policy detach --all",
				 "%s: there is a policy for all VMs already", policy->name);
	return diag_fail(EXIT_BUSY, "memattr-policy detach --all",
			 "%s: there is a policy for all VMs already: %s, link %u", policy->name,
			 other.name, other.id);
}

static int report_busy_vm(const struct policy *policy, const struct vm *vm,
			  const struct vm_policy *other)
{
	char next[DIAG_TEXT_LEN];

	snprintf(next, sizeof(next), "memattr-policy detach --pid %d --vm %d", vm->pid, vm->fd);
	return diag_fail(EXIT_BUSY, next,
			 "%s: VM %d-%d (%s) has a policy already: %s, link %u", policy->name,
			 vm->pid, vm->fd, vm->name, other->policy, other->link_id);
}

static int report_attach_error(const struct options *options, const struct policy *policy,
			       const struct vm *vm, int err)
{
	struct vm_policy other;

	if (err == -EBUSY && !vm)
		return report_busy_all(policy);
	if (err == -EBUSY && !vm_policy_read(vm, &other) && other.policy[0] && !other.all)
		return report_busy_vm(policy, vm, &other);
	return attach_report(options, policy, vm, NULL, err);
}

/*
 * The policy in force has left what it governed, and this process did not cause it: says why. That
 * policy is the one that was loaded, or one that replaced it by an update.
 */
static int report_exit(const struct policy *policy, const struct vm *vm, uint32_t id)
{
	struct vm_policy state;
	struct diag why;

	if (!vm) {
		printf("link %u, loaded with %s: detached from all VMs by another process\n", id,
		       policy->name);
		return EXIT_OK;
	}
	if (kill(vm->pid, 0) && errno == ESRCH)
		goto vm_ended;
	if (!vm->creator_tid || !diag_has(DIAG_DEBUGFS, &why))
		return diag_fail(EXIT_EJECTED, "mount -t debugfs debugfs /sys/kernel/debug",
				 "%s: no longer attached to VM %d-%d; only debugfs can tell why",
				 policy->name, vm->pid, vm->fd);
	/* Without a record, this is already another VM with the same descriptor. */
	if (vm_policy_read(vm, &state) || !state.exit_policy[0])
		goto vm_ended;

	if (!strcmp(state.exit_kind, "vm-death"))
		goto vm_ended;
	if (!strcmp(state.exit_kind, "detach")) {
		printf("%s: VM %d-%d: %s\n", state.exit_policy, vm->pid, vm->fd, state.exit_text);
		return EXIT_OK;
	}
	/*
	 * The VM was then to come under the policy for all VMs, which refused it and left its own
	 * record.
	 */
	if (!strcmp(state.exit_kind, "refused"))
		return diag_fail(EXIT_EJECTED, "memattr-policy show",
				 "%s: no longer attached to VM %d-%d (%s), and %s, the policy for all VMs, refused that VM: %s",
				 policy->name, vm->pid, vm->fd, vm->name, state.exit_policy,
				 state.exit_text);
	return diag_fail(EXIT_EJECTED, "correct the policy or raise its --budget-us, and load it again",
			 "%s: the kernel ejected it from VM %d-%d (%s): %s %" PRId64 ": %s",
			 state.exit_policy, vm->pid, vm->fd, vm->name, state.exit_kind,
			 state.exit_code, state.exit_text);

vm_ended:
	printf("%s: VM %d-%d (%s) ended\n", policy->name, vm->pid, vm->fd, vm->name);
	return EXIT_VM_ENDED;
}

int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int hold(const struct policy *policy, const struct vm *vm, struct bpf_link *link,
		int signals)
{
	int fd = bpf_link__fd(link);
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = fd },	/* POLLHUP comes unasked */
	};
	struct policy_link in_force;
	char scope[SCOPE_LEN];
	int err;

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return diag_fail(EXIT_FAILED, NULL, "poll: %s", strerror(errno));
	/* Once the policy is detached, the link no longer knows it. */
	err = policy_link_read(fd, &in_force);
	if (err == -ENOLINK || fds[1].revents)
		return report_exit(policy, vm, in_force.id);
	if (err)
		return diag_fail(EXIT_FAILED, NULL, "%s: cannot read link %u: %s", policy->name,
				 in_force.id, strerror(-err));

	if (bpf_link_detach(fd))
		return diag_fail(EXIT_FAILED, "memattr-policy list", "%s: cannot detach: %s",
				 in_force.name, strerror(errno));
	printf("%s: detached from %s\n", in_force.name, scope_text(vm, scope, sizeof(scope)));
	return EXIT_OK;
}

static int pin(const struct policy *policy, const struct vm *vm, struct bpf_link *link)
{
	char path[PATH_MAX];
	struct diag why;
	int err;

	if (!diag_has(DIAG_BPFFS, &why))
		return diag_print(&why, EXIT_SYSTEM);
	pins_prune();
	pin_path(vm, path, sizeof(path));
	err = bpf_link__pin(link, path);
	if (err)
		return diag_fail(EXIT_FAILED, "ls -l " PIN_DIR, "%s: cannot pin it to %s: %s",
				 policy->name, path, strerror(-err));
	printf("%s: pinned to %s\n", policy->name, path);
	return EXIT_OK;
}

static int load(const struct options *options, struct policy *policy, const struct vm *vm)
{
	struct policy_link attached;
	struct bpf_link *link;
	int ret, signals, vm_fd;
	char scope[SCOPE_LEN];

	ret = attach_load(options, policy, vm, &vm_fd);
	if (ret)
		return ret;

	signals = open_signals();
	link = bpf_map__attach_struct_ops(policy->ops);
	ret = link ? 0 : -errno;
	if (vm)
		close(vm_fd);
	if (ret)
		return report_attach_error(options, policy, vm, ret);

	policy_link_read(bpf_link__fd(link), &attached);
	printf("%s: attached to %s, link %u\n", policy->name, scope_text(vm, scope, sizeof(scope)),
	       attached.id);
	fflush(stdout);
	ret = options->pin ? pin(policy, vm, link) : hold(policy, vm, link, signals);
	bpf_link__destroy(link);
	return ret;
}

int command_load(const struct options *options)
{
	struct policy policy;
	struct vm vm;
	int ret;

	ret = attach_open(options, &policy);
	if (!ret && !options->all)
		ret = choose_vm(options, &vm);
	if (!ret)
		ret = load(options, &policy, options->all ? NULL : &vm);
	policy_close(&policy);
	return ret;
}
