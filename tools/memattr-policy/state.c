// SPDX-License-Identifier: GPL-2.0
/* list, show, detach: what is attached, as the kernel itself records it. */
#define _GNU_SOURCE
#include "command.h"
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static int report_no_vms_read(pid_t pid, int err)
{
	struct diag why;

	if (err == -ENOENT)
		return diag_fail(EXIT_NO_VM, "memattr-policy show", "there is no process %d", pid);
	if (err == -EACCES && !diag_has(DIAG_PTRACE_RIGHTS, &why))
		return diag_print(&why, EXIT_SYSTEM);
	return diag_fail(EXIT_FAILED, NULL, "cannot look for VMs: %s", strerror(-err));
}

static int report_several_vms(const struct vm_list *list, pid_t pid)
{
	diag_fail(EXIT_USAGE, "add --vm with one of these descriptors",
		  "process %d has %zu VMs, and --pid alone does not say which", pid, list->count);
	for (size_t i = 0; i < list->count; i++)
		fprintf(stderr, "  --vm %d\n", list->vms[i].fd);
	return EXIT_USAGE;
}

static int report_no_vm(const struct options *options)
{
	struct diag why;

	if (!diag_has(DIAG_KVM, &why))
		return diag_print(&why, EXIT_SYSTEM);
	if (options->vm_fd != ANY_VM_FD)
		return diag_fail(EXIT_NO_VM, "memattr-policy show",
				 "descriptor %d of process %d is not a VM", options->vm_fd,
				 options->pid);
	return diag_fail(EXIT_NO_VM, "memattr-policy show", "process %d has no VM", options->pid);
}

int choose_vm(const struct options *options, struct vm *vm)
{
	const struct vm *found = NULL;
	struct vm_list list;
	int ret;

	ret = vm_list_read(&list, options->pid);
	if (ret)
		return report_no_vms_read(options->pid, ret);

	for (size_t i = 0; i < list.count; i++)
		if (options->vm_fd == ANY_VM_FD || list.vms[i].fd == options->vm_fd)
			found = &list.vms[i];
	if (!found)
		ret = report_no_vm(options);
	else if (options->vm_fd == ANY_VM_FD && list.count > 1)
		ret = report_several_vms(&list, list.vms[0].pid);
	else
		*vm = *found;
	vm_list_free(&list);
	return ret;
}

static int need_state_files(void)
{
	struct diag why;

	return diag_has(DIAG_DEBUGFS, &why) && diag_has(DIAG_KVM, &why) ?
	       EXIT_OK : diag_print(&why, EXIT_SYSTEM);
}

static int read_state(const struct vm *vm, struct vm_policy *state)
{
	int err = vm_policy_read(vm, state);
	struct diag why;

	if (!err)
		return EXIT_OK;
	if (err == -EOPNOTSUPP && !diag_has(DIAG_MEMATTR, &why))
		return diag_print(&why, EXIT_SYSTEM);
	if (err == -EOPNOTSUPP)
		return diag_fail(EXIT_FAILED, "memattr-policy show",
				 "VM %d-%d (%s) has no private memory, so there is nothing to govern",
				 vm->pid, vm->fd, vm->name);
	if (err == -ENOENT)
		return diag_fail(EXIT_NO_VM, "memattr-policy show", "VM %d-%d has just ended",
				 vm->pid, vm->fd);
	return diag_fail(EXIT_FAILED, NULL, "cannot read the policy of VM %d-%d: %s", vm->pid,
			 vm->fd, strerror(-err));
}

static void show_json(struct json *json, const struct vm *vm, const struct vm_policy *state)
{
	json_object(json, NULL);
	json_u64(json, "pid", vm->pid);
	json_u64(json, "vm_fd", vm->fd);
	json_string(json, "name", vm->name);
	if (state->policy[0]) {
		json_string(json, "policy", state->policy);
		json_string(json, "scope", state->all ? "all" : "vm");
		json_u64(json, "link_id", state->link_id);
		json_u64(json, "budget_us", state->budget_us);
	} else {
		json_null(json, "policy");
	}
	json_u64(json, "calls", state->calls);
	json_u64(json, "refused", state->refused);
	json_u64(json, "host_refused", state->host_refused);
	json_u64(json, "widened_pages", state->widened_pages);
	json_u64(json, "policy_ns", state->ns);
	json_u64(json, "ejections", state->ejections);
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

static void show_text(const struct vm *vm, const struct vm_policy *state)
{
	printf("VM %d-%d (%s)\n", vm->pid, vm->fd, vm->name);
	if (state->policy[0])
		printf("  policy   %s, %s, link %u\n", state->policy,
		       state->all ? "the policy for all VMs" : "the VM's own", state->link_id);
	else
		printf("  policy   none\n");
	if (state->budget_us)
		printf("  budget   %u us per call\n", state->budget_us);
	printf("  calls    %" PRIu64 " in %.3f ms, conversions refused %" PRIu64
	       ", extra pages zapped %" PRIu64, state->calls, state->ns / 1e6, state->refused,
	       state->widened_pages);
	if (state->host_refused)
		printf(", host accesses refused %" PRIu64, state->host_refused);
	printf("\n");
	if (state->exit_policy[0])
		printf("  left     %s: %s %" PRId64 ": %s\n", state->exit_policy, state->exit_kind,
		       state->exit_code, state->exit_text);
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

static int show_all(const struct options *options)
{
	struct json json = { .out = stdout };
	struct vm_list list;
	struct diag why;
	size_t shown = 0;
	int err;

	if (!diag_has(DIAG_MEMATTR, &why))
		return diag_print(&why, EXIT_SYSTEM);
	err = vm_list_read(&list, 0);
	if (err)
		return report_no_vms_read(0, err);

	if (options->json)
		json_array(&json, NULL);
	for (size_t i = 0; i < list.count; i++) {
		struct vm_policy state;

		/* Skip a VM that has just ended or has no private memory. */
		if (vm_policy_read(&list.vms[i], &state))
			continue;
		shown++;
		if (options->json)
			show_json(&json, &list.vms[i], &state);
		else
			show_text(&list.vms[i], &state);
	}
	if (options->json) {
		json_array_end(&json);
		json_newline(&json);
	} else if (!shown) {
		printf("there are no VMs with private memory\n");
	}
	vm_list_free(&list);
	return EXIT_OK;
}

int command_show(const struct options *options)
{
	int ret = need_state_files();

	if (ret)
		return ret;
	return options->pid ? show_one(options) : show_all(options);
}

int choose_link(const struct options *options, const char *if_none, const char *if_all,
		struct vm *vm, struct policy_link *link)
{
	struct vm_policy state;
	struct diag why;
	int ret, err;

	*link = (struct policy_link){};
	if (!diag_has(DIAG_ADMIN_RIGHTS, &why))
		return diag_print(&why, EXIT_SYSTEM);
	if (options->all) {
		err = policy_link_of_all(link);
		if (err == -ENOENT)
			return diag_fail(EXIT_FAILED, if_none, "there is no policy for all VMs");
		if (err)
			return diag_fail(EXIT_FAILED, NULL, "cannot list BPF links: %s",
					 strerror(-err));
		return EXIT_OK;
	}

	ret = need_state_files();
	if (!ret)
		ret = choose_vm(options, vm);
	if (!ret)
		ret = read_state(vm, &state);
	if (ret)
		return ret;
	if (!state.policy[0])
		return diag_fail(EXIT_FAILED, if_none, "VM %d-%d (%s) has no policy", vm->pid, vm->fd,
				 vm->name);
	if (state.all)
		return diag_fail(EXIT_FAILED, if_all,
				 "VM %d-%d (%s) has no policy of its own: %s, the policy for all VMs, governs it",
				 vm->pid, vm->fd, vm->name, state.policy);
	link->id = state.link_id;
	snprintf(link->name, sizeof(link->name), "%s", state.policy);
	return EXIT_OK;
}

int command_detach(const struct options *options)
{
	struct policy_link link;
	char path[PATH_MAX];
	struct vm vm;
	int ret, err;

	ret = choose_link(options, "memattr-policy list", "memattr-policy detach --all", &vm, &link);
	if (ret)
		return ret;
	err = policy_link_detach(link.id);
	if (err)
		return diag_fail(EXIT_FAILED, NULL, "cannot detach %s, link %u: %s", link.name,
				 link.id, strerror(-err));
	if (pin_find(link.id, path, sizeof(path)))
		unlink(path);
	pins_prune();
	if (options->all)
		printf("%s: detached from all VMs\n", link.name);
	else
		printf("%s: detached from VM %d-%d (%s)\n", link.name, vm.pid, vm.fd, vm.name);
	return EXIT_OK;
}

static void list_json(struct json *json, const struct policy_link *link, const char *pinned,
		      const struct vm_list *list)
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
		struct vm_policy state;

		if (vm_policy_read(&list->vms[i], &state) || state.link_id != link->id)
			continue;
		json_object(json, NULL);
		json_u64(json, "pid", list->vms[i].pid);
		json_u64(json, "vm_fd", list->vms[i].fd);
		json_string(json, "name", list->vms[i].name);
		json_object_end(json);
	}
	json_array_end(json);
	json_object_end(json);
}

static void list_text(const struct policy_link *link, const char *pinned,
		      const struct vm_list *list)
{
	printf("%-16s link %-6u %s%s%s\n", link->name, link->id,
	       link->all ? "for all VMs" : "for one VM", pinned ? ", pinned to " : "",
	       pinned ?: "");
	for (size_t i = 0; i < list->count; i++) {
		const struct vm *vm = &list->vms[i];
		struct vm_policy state;

		if (vm_policy_read(vm, &state) || state.link_id != link->id)
			continue;
		printf("    VM %d-%d (%s): %" PRIu64 " calls, %" PRIu64 " refused\n", vm->pid,
		       vm->fd, vm->name, state.calls, state.refused);
	}
}

int command_list(const struct options *options)
{
	struct json json = { .out = stdout };
	struct policy_links links;
	struct vm_list list;
	struct diag why;
	int err;

	if (!diag_has(DIAG_ADMIN_RIGHTS, &why) || !diag_has(DIAG_MEMATTR, &why) ||
	    !diag_has(DIAG_DEBUGFS, &why))
		return diag_print(&why, EXIT_SYSTEM);
	err = policy_links_read(&links);
	if (err)
		return diag_fail(EXIT_FAILED, NULL, "cannot list BPF links: %s", strerror(-err));
	err = vm_list_read(&list, 0);
	if (err) {
		policy_links_free(&links);
		return report_no_vms_read(0, err);
	}

	if (options->json)
		json_array(&json, NULL);
	for (size_t i = 0; i < links.count; i++) {
		const struct policy_link *link = &links.links[i];
		char path[PATH_MAX];
		const char *pinned = pin_find(link->id, path, sizeof(path)) ? path : NULL;

		if (options->json)
			list_json(&json, link, pinned, &list);
		else
			list_text(link, pinned, &list);
	}
	if (options->json) {
		json_array_end(&json);
		json_newline(&json);
	} else if (!links.count) {
		printf("no policies are attached\n");
	}
	vm_list_free(&list);
	policy_links_free(&links);
	return EXIT_OK;
}

int command_params(const struct options *options)
{
	struct policy policy;
	int ret;

	ret = policy_open(&policy, options->file);
	if (ret)
		return ret;
	if (options->json)
		params_print_json(&policy, stdout);
	else
		params_print(&policy, stdout);
	policy_close(&policy);
	return EXIT_OK;
}
