// SPDX-License-Identifier: GPL-2.0
/* Which VM and which policy the command line is about. */
#define _GNU_SOURCE
#include "command.h"
#include "vm_text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int report_no_vms_read(pid_t pid, int err)
{
	struct diag why;

	if (err == -ENOENT)
		return diag_fail(EXIT_NO_VM, "memattr-policy show", "there is no process %d", pid);
	if (err == -EACCES && !diag_has(DIAG_PTRACE_RIGHTS, &why))
		return diag_print(&why, EXIT_SYSTEM);
	return diag_fail(EXIT_FAILED, NULL, "cannot look for VMs: %s", strerror(-err));
}

int read_vms(struct vm_list *list, pid_t pid)
{
	int err = vm_list_read(list, pid);

	if (err)
		return report_no_vms_read(pid, err);
	if (list->cause)
		diag_fail(EXIT_OK, list->next, "%s", list->cause);
	return EXIT_OK;
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
	if (options->vm_id)
		return diag_fail(EXIT_NO_VM, "memattr-policy show",
				 "there is no VM with the number %" PRIu64, options->vm_id);
	if (options->vm_fd != ANY_VM_FD)
		return diag_fail(EXIT_NO_VM, "memattr-policy show",
				 "descriptor %d of process %d is not a VM", options->vm_fd,
				 options->pid);
	return diag_fail(EXIT_NO_VM, "memattr-policy show", "process %d has no VM", options->pid);
}

/* Returns the VM that the options name exactly, or NULL. */
static const struct vm *find_named(const struct options *options, const struct vm_list *list)
{
	if (options->vm_fd != ANY_VM_FD)
		return vm_list_find(list, vm_process(options->pid), options->vm_fd);
	for (size_t i = 0; options->vm_id && i < list->count; i++)
		if (list->vms[i].id == options->vm_id)
			return &list->vms[i];
	return NULL;
}

/* Returns the only VM of the list, or the only one that is @likely to be meant, or NULL. */
static const struct vm *find_only(const struct vm_list *list, bool (*likely)(const struct vm *vm))
{
	const struct vm *found = NULL;
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (list->count > 1 && !likely(&list->vms[i]))
			continue;
		found = &list->vms[i];
		count++;
	}
	return count == 1 ? found : NULL;
}

static int choose(const struct options *options, bool (*likely)(const struct vm *vm), struct vm *vm)
{
	bool named = options->vm_id || options->vm_fd != ANY_VM_FD;
	const struct vm *found;
	struct vm_list list;
	int ret;

	ret = read_vms(&list, options->pid);
	if (ret)
		return ret;
	found = named ? find_named(options, &list) : find_only(&list, likely);
	if (found)
		*vm = *found;
	else if (named || !list.vms)
		ret = report_no_vm(options);
	else
		ret = report_several_vms(&list, options->pid);
	vm_list_free(&list);
	return ret;
}

/* A VM that only a vCPU's descriptor keeps alive is seldom what somebody wants to govern. */
static bool has_own_descriptor(const struct vm *vm)
{
	return vm->hold == VM_HELD_BY_VM;
}

int choose_vm(const struct options *options, struct vm *vm)
{
	return choose(options, has_own_descriptor, vm);
}

static bool has_own_policy(const struct vm *vm)
{
	struct vm_policy state;

	return !vm_policy_read(vm, &state) && state.link_id && !state.all;
}

bool find_vm(uint64_t id, struct vm *vm)
{
	struct options options = { .vm_id = id, .vm_fd = ANY_VM_FD };
	const struct vm *found = NULL;
	struct vm_list list;

	if (!id || vm_list_read(&list, 0))
		return false;
	found = find_named(&options, &list);
	if (found)
		*vm = *found;
	vm_list_free(&list);
	return found;
}

int read_state(const struct vm *vm, struct vm_policy *state)
{
	char text[VM_TEXT_LEN], hold[VM_TEXT_LEN];
	int err = vm_policy_read(vm, state);
	struct diag why;

	vm_text(vm, text);
	if (!err)
		return EXIT_OK;
	if (err == -EOPNOTSUPP && !diag_has(DIAG_MEMATTR, &why))
		return diag_print(&why, EXIT_SYSTEM);
	if (err == -EOPNOTSUPP)
		return diag_fail(EXIT_FAILED, "memattr-policy show",
				 "%s has no private memory, so there is nothing to govern", text);
	if (err == -ENOENT)
		return diag_fail(EXIT_NO_VM, "memattr-policy show", "%s has just ended", text);
	if (err == -ENODATA && !diag_has(DIAG_DEBUGFS, &why))
		return diag_print(&why, EXIT_SYSTEM);
	if (err == -ENODATA)
		return diag_fail(EXIT_FAILED, "memattr-policy list",
				 "the state of %s cannot be read: it has no folder in debugfs, and %s", text,
				 vm_hold_text(vm, hold, sizeof(hold)));
	return diag_fail(EXIT_FAILED, NULL, "cannot read the policy of %s: %s", text, strerror(-err));
}

static int choose_policy_of_all(const char *if_none, struct policy_link *link)
{
	int err = policy_link_of_all(link);

	if (err == -ENOENT)
		return diag_fail(EXIT_FAILED, if_none, "there is no policy for all VMs");
	if (err)
		return diag_fail(EXIT_FAILED, NULL, "cannot list BPF links: %s", strerror(-err));
	return EXIT_OK;
}

int choose_link(const struct options *options, const char *if_none, const char *if_all,
		struct vm *vm, struct policy_link *link)
{
	struct vm_policy state;
	char text[VM_TEXT_LEN];
	struct diag why;
	int ret;

	*link = (struct policy_link){};
	if (!diag_has(DIAG_ADMIN_RIGHTS, &why))
		return diag_print(&why, EXIT_SYSTEM);
	if (options->all)
		return choose_policy_of_all(if_none, link);

	ret = choose(options, has_own_policy, vm);
	if (!ret)
		ret = read_state(vm, &state);
	if (ret)
		return ret;
	vm_text(vm, text);
	if (!state.link_id)
		return diag_fail(EXIT_FAILED, if_none, "%s has no policy", text);
	if (state.all)
		return diag_fail(EXIT_FAILED, if_all,
				 "%s has no policy of its own: %s, the policy for all VMs, governs it",
				 text, state.policy);
	link->id = state.link_id;
	snprintf(link->name, sizeof(link->name), "%s", state.policy);
	return EXIT_OK;
}
