// SPDX-License-Identifier: GPL-2.0
/* load: attaches a policy, and stays until it is no longer attached. */
#define _GNU_SOURCE
#include "command.h"
#include "links.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* What a policy is for, in words. */
static const char *scope_text(const struct vm *vm, char *text, size_t size)
{
	if (vm)
		snprintf(text, size, "VM %d-%d (%s)", vm->pid, vm->fd, vm->name);
	else
		snprintf(text, size, "all VMs");
	return text;
}

static int no_vm_fd(const struct vm *vm, int err)
{
	struct diag why;

	if (err == -EPERM && !diag_has(DIAG_PTRACE_RIGHTS, &why))
		return diag_print(&why, EXIT_SYSTEM);
	if (err == -EPERM)
		return diag_fail(EXIT_SYSTEM, "look for a seccomp filter or an LSM that forbids ptrace",
				 "the kernel does not let this process into process %d", vm->pid);
	if (err == -ESRCH || err == -EBADF)
		return diag_fail(EXIT_NO_VM, "memattr-policy show", "VM %d-%d has just ended", vm->pid,
				 vm->fd);
	return diag_fail(EXIT_FAILED, NULL, "cannot take the descriptor of VM %d-%d: %s", vm->pid,
			 vm->fd, strerror(-err));
}

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

static int report_attach_error(const struct policy *policy, const struct vm *vm, int err)
{
	struct vm_policy other;
	struct diag why;
	char scope[128];

	scope_text(vm, scope, sizeof(scope));
	if (err == -EBUSY && !vm)
		return report_busy_all(policy);
	if (err == -EBUSY && !vm_policy_read(vm, &other) && other.policy[0] && !other.all)
		return report_busy_vm(policy, vm, &other);
	if (err == -EPERM && !diag_has(DIAG_ADMIN_RIGHTS, &why))
		return diag_print(&why, EXIT_SYSTEM);
	if (err == -EOPNOTSUPP)
		return diag_fail(EXIT_FAILED, "memattr-policy show",
				 "%s: %s has no private memory, so there is nothing to govern",
				 policy->name, scope);
	if (err == -ERANGE)
		return diag_fail(EXIT_USAGE, "memattr-policy params FILE",
				 "%s: a parameter is out of its range", policy->name);
	return diag_fail(EXIT_FAILED, "look at what the policy's vm_attach returns, and at dmesg",
			 "%s: the kernel or the policy refuses %s: %s", policy->name, scope,
			 strerror(-err));
}

/* The policy has left the VM without our doing: says why. */
static int report_exit(const struct policy *policy, const struct vm *vm)
{
	struct vm_policy state;
	struct diag why;

	if (!vm) {
		printf("%s: detached from all VMs by another process\n", policy->name);
		return EXIT_OK;
	}
	if (kill(vm->pid, 0) && errno == ESRCH)
		goto vm_ended;
	if (!vm->creator_tid || !diag_has(DIAG_DEBUGFS, &why)) {
		diag_fail(EXIT_EJECTED, "mount -t debugfs debugfs /sys/kernel/debug",
			  "%s: no longer attached to VM %d-%d; debugfs would say why", policy->name,
			  vm->pid, vm->fd);
		return EXIT_EJECTED;
	}
	/* Without a record it is another VM already, with the same descriptor. */
	if (vm_policy_read(vm, &state) || !state.exit_policy[0])
		goto vm_ended;

	if (!strcmp(state.exit_kind, "vm-death"))
		goto vm_ended;
	if (!strcmp(state.exit_kind, "detach")) {
		printf("%s: VM %d-%d: %s\n", policy->name, vm->pid, vm->fd, state.exit_text);
		return EXIT_OK;
	}
	return diag_fail(EXIT_EJECTED, NULL,
			 "%s: the kernel ejected it from VM %d-%d (%s): %s %" PRId64 ": %s",
			 policy->name, vm->pid, vm->fd, vm->name, state.exit_kind, state.exit_code,
			 state.exit_text);

vm_ended:
	printf("%s: VM %d-%d (%s) ended\n", policy->name, vm->pid, vm->fd, vm->name);
	return EXIT_VM_ENDED;
}

/* Before the policy is attached, so that no signal can come in between. */
static int open_signals(void)
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
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = bpf_link__fd(link) },	/* POLLHUP comes unasked */
	};
	char scope[128];

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return diag_fail(EXIT_FAILED, NULL, "poll: %s", strerror(errno));
	if (fds[1].revents)
		return report_exit(policy, vm);

	if (bpf_link_detach(bpf_link__fd(link)))
		return diag_fail(EXIT_FAILED, NULL, "%s: cannot detach: %s", policy->name,
				 strerror(errno));
	printf("%s: detached from %s\n", policy->name, scope_text(vm, scope, sizeof(scope)));
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
		return diag_fail(EXIT_FAILED, NULL, "%s: cannot pin it to %s: %s", policy->name, path,
				 strerror(-err));
	printf("%s: pinned to %s\n", policy->name, path);
	return EXIT_OK;
}

static uint32_t link_id(const struct bpf_link *link)
{
	struct bpf_link_info info = {};
	uint32_t len = sizeof(info);

	return bpf_link_get_info_by_fd(bpf_link__fd(link), &info, &len) ? 0 : info.id;
}

/* @vm is NULL for all VMs. */
static int load(const struct options *options, struct policy *policy, const struct vm *vm)
{
	int ret, signals, vm_fd = -1;
	struct bpf_link *link;
	char scope[128];

	if (vm) {
		vm_fd = vm_open(vm);
		if (vm_fd < 0)
			return no_vm_fd(vm, vm_fd);
	}
	ret = policy_set_member(policy, "vm_fd", vm_fd);
	if (!ret && options->budget_us)
		ret = policy_set_member(policy, "budget_us", options->budget_us);
	if (!ret)
		ret = policy_load(policy, options->verbose);
	if (ret) {
		if (vm)
			close(vm_fd);
		return ret;
	}

	signals = open_signals();
	link = bpf_map__attach_struct_ops(policy->ops);
	ret = link ? 0 : -errno;
	/* What holds a descriptor of the VM keeps it alive: its end would go unnoticed. */
	if (vm)
		close(vm_fd);
	if (ret)
		return report_attach_error(policy, vm, ret);

	printf("%s: attached to %s, link %u\n", policy->name, scope_text(vm, scope, sizeof(scope)),
	       link_id(link));
	fflush(stdout);
	ret = options->pin ? pin(policy, vm, link) : hold(policy, vm, link, signals);
	bpf_link__destroy(link);
	return ret;
}

int command_load(const struct options *options)
{
	struct policy policy;
	struct diag why;
	struct vm vm;
	int ret;

	ret = policy_open(&policy, options->file);
	if (!ret && !policy.ops)
		ret = diag_fail(EXIT_NO_POLICY, "memattr-policy audit",
				"%s is no policy: it records what policies do", options->file);
	for (int i = 0; !ret && i < options->setting_count; i++)
		ret = params_set(&policy, options->settings[i]);
	if (!ret && !diag_has(DIAG_BPF_RIGHTS, &why))
		ret = diag_print(&why, EXIT_SYSTEM);
	if (!ret && !options->all)
		ret = choose_vm(options, &vm);
	if (!ret)
		ret = load(options, &policy, options->all ? NULL : &vm);
	policy_close(&policy);
	return ret;
}
