// SPDX-License-Identifier: GPL-2.0
/* apply: puts the rules of policies.d in force, for the VMs of this moment. */
#define _GNU_SOURCE
#include "boot_apply.h"
#include "attach.h"
#include "boot_links.h"
#include "boot_rules.h"
#include "vm_text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The links that earlier passes made, and those that this pass made or found right. */
struct boot_state {
	struct boot_links links;
	struct boot_links kept;
};

/* Reads the id of the link that governs @vm, or all VMs; 0: there is none. Returns 0 or -errno. */
static int governing_link(const struct vm *vm, uint32_t *id)
{
	struct policy_link link;
	struct vm_policy state;
	int err;

	*id = 0;
	if (vm) {
		err = vm_policy_read(vm, &state);
		if (!err && state.policy[0] && !state.all)
			*id = state.link_id;
		return err;
	}
	err = policy_link_of_all(&link);
	if (!err)
		*id = link.id;
	return err == -ENOENT ? 0 : err;
}

static int report_other(const struct boot_rule *rule, const struct vm *vm, uint32_t id)
{
	char scope[VM_TEXT_LEN], next[DIAG_TEXT_LEN];

	snprintf(next, sizeof(next), "memattr-policy detach --link %u; memattr-policy apply", id);
	return diag_fail(EXIT_BUSY, next,
			 "%s: a policy that no such file asked for, link %u, governs %s; it stays",
			 rule->path, id, scope_text(vm, scope));
}

/* Puts the rule's policy in force for @vm, or for all VMs. */
static int govern(const struct boot_pass *pass, struct boot_state *state,
		  const struct boot_rule *rule, const struct vm *vm)
{
	struct options options = rule->options;
	char scope[VM_TEXT_LEN];
	int ret = EXIT_OK;
	uint32_t id;

	/* A VM that is gone, or that has no private memory, needs no policy. */
	if (governing_link(vm, &id))
		return EXIT_OK;
	if (id && !boot_links_has(&state->links, id))
		return pass->update ? report_other(rule, vm, id) : EXIT_OK;
	if (vm) {
		options.vm_id = vm->id;
		options.pid = vm->id ? 0 : vm->pid;
		options.vm_fd = vm->id ? ANY_VM_FD : vm->fd;
	}
	if (!id)
		ret = command_load(&options);
	else if (pass->update)
		ret = command_update(&options);
	if (ret && ret != EXIT_NO_VM)
		diag_fail(ret, NULL, "%s is not in force for %s", rule->path,
			  scope_text(vm, scope));
	/* Somebody else may have been faster: that link is not one of ours. */
	if (!governing_link(vm, &id) && id && (!ret || boot_links_has(&state->links, id)) &&
	    boot_links_add(&state->kept, id))
		ret = diag_fail(EXIT_FAILED, NULL, "%s", strerror(ENOMEM));
	return ret == EXIT_NO_VM ? EXIT_OK : ret;
}

/* A policy has left this VM, by ejection or because somebody detached it. */
static bool policy_left(const struct vm *vm)
{
	struct vm_policy state;

	return !vm_policy_read(vm, &state) && !state.policy[0] && state.exit_policy[0];
}

/* KVM announces a VM shortly before the process gets its descriptor. */
static bool has_descriptor(const struct vm *vm)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", vm->pid, vm->fd);
	return vm->fd >= 0 && vm->hold == VM_HELD_BY_VM && !access(path, F_OK);
}

static int govern_vms(struct boot_pass *pass, struct boot_state *state,
		      const struct boot_rules *rules)
{
	struct vm_list list;
	int ret = EXIT_OK, err;

	err = vm_list_read(&list, 0);
	if (err)
		return diag_fail(EXIT_FAILED, NULL, "cannot look for VMs: %s", strerror(-err));
	for (size_t i = 0; i < list.count; i++) {
		const struct vm *vm = &list.vms[i];
		const struct boot_rule *rule = boot_rules_find(rules, vm);

		if (!rule)
			continue;
		if (!has_descriptor(vm))
			pass->pending = true;
		else if (pass->update || !policy_left(vm))
			ret = govern(pass, state, rule, vm) ?: ret;
	}
	vm_list_free(&list);
	return ret;
}

/* Detaches what earlier passes attached and no rule asks for any more. */
static int detach_others(const struct boot_state *state)
{
	int ret = EXIT_OK;

	for (size_t i = 0; i < state->links.count; i++) {
		uint32_t id = state->links.ids[i];
		int err;

		if (boot_links_has(&state->kept, id))
			continue;
		err = policy_link_detach(id);
		if (!err)
			printf("link %u: detached, because no file asks for it any more\n", id);
		else if (err != -ENOENT && err != -ENOLINK)
			ret = diag_fail(EXIT_FAILED, "memattr-policy list", "cannot detach link %u: %s",
					id, strerror(-err));
	}
	pins_prune();
	return ret;
}

/* A rule that could not be read, or not be applied, may be the one that a link belongs to. */
static int finish(const struct boot_pass *pass, struct boot_state *state, int ret)
{
	int err = 0;

	if (pass->update && !ret) {
		ret = detach_others(state);
		state->links.count = 0;
	}
	for (size_t i = 0; !err && i < state->kept.count; i++)
		err = boot_links_add(&state->links, state->kept.ids[i]);
	err = boot_links_unlock(&state->links) ?: err;
	if (err)
		return diag_fail(EXIT_FAILED, NULL, "cannot keep the list of links: %s", strerror(-err));
	return ret;
}

static int apply_rules(struct boot_pass *pass, const struct boot_rules *rules)
{
	struct boot_state state = { .kept.fd = -1 };
	const struct boot_rule *rule = boot_rules_find(rules, NULL);
	int ret = rules->wrong ? EXIT_USAGE : EXIT_OK;
	struct diag why;
	int err;

	if (rules->count && !diag_has(DIAG_MEMATTR, &why))
		return diag_print(&why, EXIT_SYSTEM);
	err = boot_links_lock(&state.links);
	if (err) {
		boot_links_unlock(&state.links);
		return diag_fail(EXIT_FAILED, "run it as root, for example with sudo",
				 "cannot read the list of links: %s", strerror(-err));
	}
	if (rule && (pass->all || pass->update))
		ret = govern(pass, &state, rule, NULL) ?: ret;
	ret = govern_vms(pass, &state, rules) ?: ret;
	ret = finish(pass, &state, ret);
	boot_links_unlock(&state.kept);
	return ret;
}

int boot_apply(struct boot_pass *pass)
{
	struct boot_rules rules;
	int ret;

	pass->pending = false;
	ret = boot_rules_read(pass->dir, &rules);
	if (!ret || rules.wrong)
		ret = apply_rules(pass, &rules);
	boot_rules_free(&rules);
	fflush(stdout);
	return ret;
}

int command_apply(const struct options *options)
{
	struct boot_pass pass = {
		.dir = options->file ?: BOOT_RULES_DIR, .all = true, .update = true,
	};

	return boot_apply(&pass);
}
