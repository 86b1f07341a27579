// SPDX-License-Identifier: GPL-2.0
/* list, show, detach: what is attached, as the kernel itself records it. */
#define _GNU_SOURCE
#include "command.h"
#include "params.h"
#include "vm_text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void json_count(struct json *json, const struct vm_policy *state, const char *key, uint64_t value)
{
	if (state->counted)
		json_u64(json, key, value);
	else
		json_null(json, key);
}

static void show_json(struct json *json, const struct vm *vm, const struct vm_policy *state)
{
	char hold[VM_TEXT_LEN];

	json_object(json, NULL);
	json_vm(json, vm);
	if (*vm_hold_text(vm, hold, sizeof(hold)))
		json_string(json, "held", hold);
	if (state->link_id) {
		json_string(json, "policy", state->policy);
		json_string(json, "scope", state->all ? "all" : "vm");
		json_u64(json, "link_id", state->link_id);
		json_u64(json, "budget_us", state->budget_us);
	} else {
		json_null(json, "policy");
	}
	json_count(json, state, "calls", state->calls);
	json_count(json, state, "refused", state->refused);
	json_count(json, state, "host_refused", state->host_refused);
	json_count(json, state, "widened_pages", state->widened_pages);
	json_count(json, state, "policy_ns", state->ns);
	json_count(json, state, "ejections", state->ejections);
	if (state->exit_policy[0]) {
		json_object(json, "exit");
		json_string(json, "policy", state->exit_policy);
		json_string(json, "kind", state->exit_kind);
		json_s64(json, "code", state->exit_code);
		json_string(json, "text", state->exit_text);
		json_object_end(json);
	}
	json_object_end(json);
}

static void print_counts(const struct vm_policy *state)
{
	if (!state->counted) {
		printf("  calls    n/a: the VM has no folder in debugfs\n");
		return;
	}
	printf("  calls    %" PRIu64 " in %.3f ms, conversions refused %" PRIu64
	       ", extra pages zapped %" PRIu64, state->calls, state->ns / 1e6, state->refused,
	       state->widened_pages);
	if (state->host_refused)
		printf(", host accesses refused %" PRIu64, state->host_refused);
	printf("\n");
}

static void show_text(const struct vm *vm, const struct vm_policy *state)
{
	char text[VM_TEXT_LEN];

	printf("%s\n", vm_text(vm, text));
	if (vm->id)
		printf("  number   %" PRIu64 "\n", vm->id);
	if (*vm_hold_text(vm, text, sizeof(text)))
		printf("  held     %s\n", text);
	if (state->link_id)
		printf("  policy   %s, %s, link %u\n", state->policy,
		       state->all ? "the policy for all VMs" : "the VM's own", state->link_id);
	else
		printf("  policy   none\n");
	if (state->budget_us)
		printf("  budget   %u us per call\n", state->budget_us);
	print_counts(state);
	if (state->exit_policy[0])
		printf("  left     %s: %s %" PRId64 "%s%s\n", state->exit_policy, state->exit_kind,
		       state->exit_code, state->exit_text[0] ? ": " : "", state->exit_text);
}

static int show_one(const struct options *options)
{
	struct json json = { .out = stdout };
	struct vm_policy state;
	struct vm vm;
	int ret;

	ret = choose_vm(options, &vm);
	if (!ret)
		ret = read_state(&vm, &state);
	if (ret)
		return ret;
	if (options->json) {
		json_array(&json, NULL);
		show_json(&json, &vm, &state);
		json_array_end(&json);
		json_newline(&json);
	} else {
		show_text(&vm, &state);
	}
	return EXIT_OK;
}

static void show_list(const struct options *options, const struct vm_list *list)
{
	struct json json = { .out = stdout };
	size_t shown = 0;

	if (options->json)
		json_array(&json, NULL);
	for (size_t i = 0; i < list->count; i++) {
		struct vm_policy state;

		/* Skip a VM that has just ended or has no private memory. */
		if (vm_policy_read(&list->vms[i], &state))
			continue;
		shown++;
		if (options->json)
			show_json(&json, &list->vms[i], &state);
		else
			show_text(&list->vms[i], &state);
	}
	if (options->json) {
		json_array_end(&json);
		json_newline(&json);
	} else if (!shown) {
		printf("there are no VMs with private memory\n");
	}
}

int command_show(const struct options *options)
{
	struct vm_list list;
	struct diag why;
	int ret;

	if (options->vm_id || options->vm_fd != ANY_VM_FD)
		return show_one(options);
	if (!diag_has(DIAG_MEMATTR, &why) || !diag_has(DIAG_DEBUGFS, &why))
		return diag_print(&why, EXIT_SYSTEM);
	ret = read_vms(&list, options->pid);
	if (ret)
		return ret;
	/* One VM, or none, comes with an error if it has no state. */
	if (options->pid && list.count < 2)
		ret = show_one(options);
	else
		show_list(options, &list);
	vm_list_free(&list);
	return ret;
}

static int find_link(uint32_t id, struct policy_link *link)
{
	struct policy_links links;
	struct diag why;
	int err;

	if (!diag_has(DIAG_ADMIN_RIGHTS, &why))
		return diag_print(&why, EXIT_SYSTEM);
	err = policy_links_read(&links);
	if (err)
		return diag_fail(EXIT_FAILED, NULL, "cannot list BPF links: %s", strerror(-err));
	*link = (struct policy_link){};
	for (size_t i = 0; i < links.count; i++)
		if (links.links[i].id == id)
			*link = links.links[i];
	policy_links_free(&links);
	if (link->id)
		return EXIT_OK;
	return diag_fail(EXIT_FAILED, "memattr-policy list", "link %u holds no policy", id);
}

int command_detach(const struct options *options)
{
	char path[PATH_MAX], text[VM_TEXT_LEN];
	struct policy_link link;
	struct vm vm;
	int ret, err;

	if (options->link_id)
		ret = find_link(options->link_id, &link);
	else
		ret = choose_link(options, "memattr-policy list", "memattr-policy detach --all", &vm,
				  &link);
	if (ret)
		return ret;
	err = policy_link_detach(link.id);
	if (err)
		return diag_fail(EXIT_FAILED, NULL, "cannot detach %s, link %u: %s", link.name,
				 link.id, strerror(-err));
	if (pin_find(link.id, path, sizeof(path)))
		unlink(path);
	pins_prune();
	if (options->link_id)
		printf("%s: detached, link %u\n", link.name, link.id);
	else
		printf("%s: detached from %s\n", link.name, scope_text(options->all ? NULL : &vm, text));
	return EXIT_OK;
}

/* The VMs' policies, read once for all links. Those without one have the link 0. */
static struct vm_policy *read_states(const struct vm_list *list)
{
	struct vm_policy *states = calloc(list->count + 1, sizeof(*states));

	for (size_t i = 0; states && i < list->count; i++)
		vm_policy_read(&list->vms[i], &states[i]);
	return states;
}

static void list_json(struct json *json, const struct policy_link *link, const char *pinned,
		      const struct vm_list *list, const struct vm_policy *states)
{
	json_object(json, NULL);
	json_string(json, "policy", link->name);
	json_u64(json, "link_id", link->id);
	json_u64(json, "map_id", link->map_id);
	json_string(json, "scope", link->all ? "all" : "vm");
	if (pinned)
		json_string(json, "pinned", pinned);
	json_array(json, "vms");
	for (size_t i = 0; i < list->count; i++) {
		if (states[i].link_id != link->id)
			continue;
		json_object(json, NULL);
		json_vm(json, &list->vms[i]);
		json_object_end(json);
	}
	json_array_end(json);
	json_object_end(json);
}

static void list_text(const struct policy_link *link, const char *pinned, const struct vm_list *list,
		      const struct vm_policy *states)
{
	char text[VM_TEXT_LEN];

	printf("%-16s link %-6u %s%s%s\n", link->name, link->id,
	       link->all ? "for all VMs" : "for one VM", pinned ? ", pinned to " : "",
	       pinned ?: "");
	for (size_t i = 0; i < list->count; i++) {
		if (states[i].link_id != link->id)
			continue;
		printf("    %s: ", vm_text(&list->vms[i], text));
		if (states[i].counted)
			printf("%" PRIu64 " calls, %" PRIu64 " refused\n", states[i].calls,
			       states[i].refused);
		else
			printf("calls n/a, the VM has no folder in debugfs\n");
	}
}

static void print_links(const struct options *options, const struct policy_links *links,
			const struct vm_list *list, const struct vm_policy *states)
{
	struct json json = { .out = stdout };

	if (options->json)
		json_array(&json, NULL);
	for (size_t i = 0; i < links->count; i++) {
		const struct policy_link *link = &links->links[i];
		char path[PATH_MAX];
		const char *pinned = pin_find(link->id, path, sizeof(path)) ? path : NULL;

		if (options->json)
			list_json(&json, link, pinned, list, states);
		else
			list_text(link, pinned, list, states);
	}
	if (options->json) {
		json_array_end(&json);
		json_newline(&json);
	} else if (!links->count) {
		printf("no policies are attached\n");
	}
}

int command_list(const struct options *options)
{
	struct vm_policy *states = NULL;
	struct policy_links links;
	struct vm_list list;
	struct diag why;
	int ret, err;

	if (!diag_has(DIAG_ADMIN_RIGHTS, &why) || !diag_has(DIAG_MEMATTR, &why) ||
	    !diag_has(DIAG_DEBUGFS, &why))
		return diag_print(&why, EXIT_SYSTEM);
	err = policy_links_read(&links);
	if (err)
		return diag_fail(EXIT_FAILED, NULL, "cannot list BPF links: %s", strerror(-err));
	ret = read_vms(&list, 0);
	if (!ret) {
		states = read_states(&list);
		if (states)
			print_links(options, &links, &list, states);
		else
			ret = diag_fail(EXIT_FAILED, NULL, "%s", strerror(ENOMEM));
		vm_list_free(&list);
	}
	free(states);
	policy_links_free(&links);
	return ret;
}

int command_params(const struct options *options)
{
	struct policy policy;
	int ret;

	if (!strcmp(options->file, "audit")) {
		audit_params_print(options->json);
		return EXIT_OK;
	}
	ret = policy_open(&policy, options->file);
	if (ret)
		return ret;
	if (options->json)
		params_print_json(policy.obj, policy.name, stdout);
	else
		params_print(policy.obj, policy.name, stdout);
	policy_close(&policy);
	return EXIT_OK;
}
