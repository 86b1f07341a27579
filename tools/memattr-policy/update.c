// SPDX-License-Identifier: GPL-2.0
/* update: replaces the policy in force with another one, without a moment in between. */
#define _GNU_SOURCE
#include "attach.h"
#include "vm_text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* The policy in force left after it was looked up, and before the update. */
static int report_gone(const struct options *options, const struct vm *vm,
		       const struct policy_link *old)
{
	char next[DIAG_TEXT_LEN], text[VM_TEXT_LEN];
	struct vm_policy state;

	if (!vm) {
		snprintf(next, sizeof(next), "memattr-policy load %s --all", options->file);
		return diag_fail(EXIT_FAILED, next, "%s, link %u, has just been detached", old->name,
				 old->id);
	}
	if (vm_policy_read(vm, &state))
		return diag_fail(EXIT_NO_VM, "memattr-policy show", "%s has just ended",
				 vm_text(vm, text));
	snprintf(next, sizeof(next), "memattr-policy load %s --pid %d --vm %d", options->file,
		 vm->pid, vm->fd);
	return diag_fail(EXIT_FAILED, next, "%s has just left %s: %s: %s", old->name,
			 vm_text(vm, text), state.exit_kind, state.exit_text);
}

static int report_update_error(const struct options *options, const struct policy *policy,
			       const struct vm *vm, const struct policy_link *old, int link_fd,
			       int err)
{
	struct policy_link now;
	char scope[VM_TEXT_LEN];

	if (err == -ENOLINK)
		return report_gone(options, vm, old);
	/*
	 * BPF returns -EPERM if the link holds another map than expected; vm_attach can return it,
	 * too.
	 */
	if (err == -EPERM && !policy_link_read(link_fd, &now) && now.map_id != old->map_id)
		return diag_fail(EXIT_BUSY, "memattr-policy list",
				 "%s: another update of link %u for %s came first, and put %s in force",
				 policy->name, old->id, scope_text(vm, scope),
				 now.name);
	return attach_report(options, policy, vm, old->name, err);
}

/*
 * Puts @policy into the link if the link still holds @old. The map of @old is kept open meanwhile. Returns
 * 0 or -errno.
 */
static int replace(const struct policy *policy, const struct policy_link *old, int link_fd)
{
	LIBBPF_OPTS(bpf_link_update_opts, how, .flags = BPF_F_REPLACE);
	int map_fd = bpf_map_get_fd_by_id(old->map_id), err;

	if (map_fd < 0)
		return map_fd == -ENOENT ? -ENOLINK : map_fd;
	how.old_map_fd = map_fd;
	err = bpf_link_update(link_fd, bpf_map__fd(policy->ops), &how);
	close(map_fd);
	return err;
}

static int update(const struct options *options, struct policy *policy, const struct vm *vm,
		  const struct policy_link *found)
{
	int ret, err, vm_fd, link_fd;
	struct policy_link old;
	char scope[VM_TEXT_LEN];

	link_fd = bpf_link_get_fd_by_id(found->id);
	if (link_fd == -ENOENT)
		return report_gone(options, vm, found);
	err = link_fd < 0 ? link_fd : policy_link_read(link_fd, &old);
	if (err == -ENOLINK) {
		close(link_fd);
		return report_gone(options, vm, found);
	}
	if (err) {
		if (link_fd >= 0)
			close(link_fd);
		return diag_fail(EXIT_FAILED, NULL, "cannot read link %u: %s", found->id,
				 strerror(-err));
	}

	ret = attach_load(options, policy, vm, &vm_fd);
	if (!ret) {
		ret = policy_store_ops(policy);
		err = ret ? 0 : replace(policy, &old, link_fd);
		if (vm)
			close(vm_fd);
		if (err)
			ret = report_update_error(options, policy, vm, &old, link_fd, err);
	}
	close(link_fd);
	if (!ret)
		printf("%s: took over from %s on %s, link %u\n", policy->name, old.name,
		       scope_text(vm, scope), old.id);
	return ret;
}

int command_update(const struct options *options)
{
	char if_none[DIAG_TEXT_LEN], if_all[DIAG_TEXT_LEN];
	struct policy_link link;
	struct policy policy;
	struct vm vm;
	int ret;

	ret = attach_open(options, &policy);
	if (!ret) {
		if (options->all)
			snprintf(if_none, sizeof(if_none), "memattr-policy load %s --all",
				 options->file);
		else if (options->vm_id)
			snprintf(if_none, sizeof(if_none), "memattr-policy load %s --id %" PRIu64,
				 options->file, options->vm_id);
		else
			snprintf(if_none, sizeof(if_none), "memattr-policy load %s --pid %d",
				 options->file, options->pid);
		snprintf(if_all, sizeof(if_all), "memattr-policy update %s --all", options->file);
		ret = choose_link(options, if_none, if_all, &vm, &link);
	}
	if (!ret)
		ret = update(options, &policy, options->all ? NULL : &vm, &link);
	policy_close(&policy);
	return ret;
}
