// SPDX-License-Identifier: GPL-2.0
/* load: attaches a policy, and runs until the policy is no longer attached. */
#define _GNU_SOURCE
#include "attach.h"
#include "ejections.h"
#include "vm_text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
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
	char next[DIAG_TEXT_LEN], text[VM_TEXT_LEN];

	snprintf(next, sizeof(next), "memattr-policy detach --pid %d --vm %d", vm->pid, vm->fd);
	return diag_fail(EXIT_BUSY, next,
			 "%s: %s has a policy already: %s, link %u", policy->name,
			 vm_text(vm, text), other->policy, other->link_id);
}

static int report_attach_error(const struct options *options, const struct policy *policy,
			       const struct vm *vm, int err)
{
	struct vm_policy other;

	if (err == -EBUSY && !vm)
		return report_busy_all(policy);
	if (err == -EBUSY && !vm_policy_read(vm, &other) && other.link_id && !other.all)
		return report_busy_vm(policy, vm, &other);
	return attach_report(options, policy, vm, NULL, err);
}

static int report_vm_ended(const struct policy *policy, const struct vm *vm)
{
	char text[VM_TEXT_LEN];

	printf("%s: %s ended\n", policy->name, vm_text(vm, text));
	return EXIT_VM_ENDED;
}

/* The VM's process can have ended, or closed its descriptor, while another one keeps the VM. */
static int read_record(struct vm *vm, struct vm_policy *state)
{
	int err = vm_policy_read(vm, state);

	return err && find_vm(vm->id, vm) ? vm_policy_read(vm, state) : err;
}

/*
 * The policy in force has left what it governed, and this process did not cause it: says why. That
 * policy is the one that was loaded, or one that replaced it by an update.
 */
static int report_exit(const struct policy *policy, struct vm *vm, uint32_t id)
{
	struct vm_policy state;
	char text[VM_TEXT_LEN];

	if (!vm) {
		printf("link %u, loaded with %s: detached from all VMs by another process\n", id,
		       policy->name);
		return EXIT_OK;
	}
	if (read_record(vm, &state) || !state.exit_policy[0] || !strcmp(state.exit_kind, "vm-death"))
		return report_vm_ended(policy, vm);

	vm_text(vm, text);
	if (!strcmp(state.exit_kind, "detach")) {
		printf("%s: %s: %s\n", state.exit_policy, text,
		       state.exit_text[0] ? state.exit_text : "detached by another process");
		return EXIT_OK;
	}
	/*
	 * The VM was then to come under the policy for all VMs, which refused it and left its own
	 * record.
	 */
	if (!strcmp(state.exit_kind, "refused"))
		return diag_fail(EXIT_EJECTED, "memattr-policy show",
				 "%s: no longer attached to %s, and %s, the policy for all VMs, refused that VM: %s",
				 policy->name, text, state.exit_policy, state.exit_text);
	return diag_fail(EXIT_EJECTED, "correct the policy or raise its --budget-us, and load it again",
			 "%s: the kernel ejected it from %s: %s %" PRId64 ": %s", state.exit_policy,
			 text, state.exit_kind, state.exit_code, state.exit_text);
}

/* A policy that is attached, and what ends that. */
struct hold {
	const struct options *options;
	const struct policy *policy;
	struct vm *vm;			/* NULL: all VMs */
	struct bpf_link *link;
	int signals;
	struct ejections ejections;	/* for all VMs only */
};

static int detach(const struct hold *hold, const struct policy_link *in_force)
{
	char scope[VM_TEXT_LEN];

	if (bpf_link_detach(bpf_link__fd(hold->link)))
		return diag_fail(EXIT_FAILED, "memattr-policy list", "%s: cannot detach: %s",
				 in_force->name, strerror(errno));
	printf("%s: detached from %s\n", in_force->name, scope_text(hold->vm, scope));
	return EXIT_OK;
}

/* Returns whether to go on although the policy has been ejected from VMs. */
static bool goes_on(struct hold *hold)
{
	if (hold->vm || !ejections_print(&hold->ejections, bpf_link__fd(hold->link)))
		return true;
	diag_fail(EXIT_EJECTED, "correct the policy or raise its --budget-us, and load it again",
		  "%s governs no VM any more; only VMs that are created from now on come under it",
		  hold->policy->name);
	return !hold->options->until_ejected;
}

static int wait_for_end(struct hold *hold)
{
	int fd = bpf_link__fd(hold->link);
	struct pollfd fds[] = {
		{ .fd = hold->signals, .events = POLLIN },
		{ .fd = fd },	/* POLLHUP comes unasked */
		{ .fd = hold->vm ? -1 : ejections_fd(&hold->ejections), .events = POLLIN },
	};
	struct policy_link in_force;
	int err;

	do {
		while (poll(fds, 3, -1) < 0)
			if (errno != EINTR)
				return diag_fail(EXIT_FAILED, NULL, "poll: %s", strerror(errno));
		if (fds[2].revents && !goes_on(hold))
			return EXIT_EJECTED;
	} while (!fds[0].revents && !fds[1].revents);
	/* Once the policy is detached, the link no longer knows it. */
	err = policy_link_read(fd, &in_force);
	if (err == -ENOLINK || fds[1].revents)
		return report_exit(hold->policy, hold->vm, in_force.id);
	if (err)
		return diag_fail(EXIT_FAILED, NULL, "%s: cannot read link %u: %s", hold->policy->name,
				 in_force.id, strerror(-err));
	return detach(hold, &in_force);
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

/* Attaches the policy, and closes the VM's descriptor, which would keep the VM alive. */
static int attach(struct hold *hold, int vm_fd)
{
	struct policy_link attached;
	char scope[VM_TEXT_LEN];
	int err;

	hold->link = bpf_map__attach_struct_ops(hold->policy->ops);
	err = hold->link ? 0 : -errno;
	if (hold->vm)
		close(vm_fd);
	if (err)
		return report_attach_error(hold->options, hold->policy, hold->vm, err);

	policy_link_read(bpf_link__fd(hold->link), &attached);
	printf("%s: attached to %s, link %u\n", hold->policy->name, scope_text(hold->vm, scope),
	       attached.id);
	fflush(stdout);
	return EXIT_OK;
}

static int load(const struct options *options, struct policy *policy, struct vm *vm)
{
	struct hold hold = { .options = options, .policy = policy, .vm = vm };
	bool watch = !vm && !options->pin;
	int ret, vm_fd;

	ret = attach_load(options, policy, vm, &vm_fd);
	if (ret)
		return ret;
	/* If nobody reads what is said, that must not end the policy. */
	signal(SIGPIPE, SIG_IGN);
	hold.signals = open_signals();
	if (watch)
		ret = ejections_open(&hold.ejections);
	if (!ret)
		ret = attach(&hold, vm_fd);
	if (!ret)
		ret = options->pin ? pin(policy, vm, hold.link) : wait_for_end(&hold);
	bpf_link__destroy(hold.link);
	ejections_close(&hold.ejections);
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
