// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "attach.h"
#include "params.h"
#include "vm_text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define KVM_PARAMETERS "/sys/module/kvm/parameters/"

static int no_vm_fd(const struct vm *vm, int err)
{
	char text[VM_TEXT_LEN], hold[VM_TEXT_LEN];
	struct diag why;

	vm_text(vm, text);
	if (err == -EPERM && !diag_has(DIAG_PTRACE_RIGHTS, &why))
		return diag_print(&why, EXIT_SYSTEM);
	if (err == -EPERM)
		return diag_fail(EXIT_SYSTEM, "look for a seccomp filter or an LSM that forbids ptrace",
				 "the kernel does not let this process access process %d", vm->pid);
	if (err == -ESRCH)
		return diag_fail(EXIT_NO_VM, "memattr-policy show", "%s has just ended", text);
	if (err == -EBADF)
		return diag_fail(EXIT_FAILED, "the policy for all VMs, which takes no descriptor",
				 "%s cannot get a policy of its own, which takes the VM's own descriptor: %s",
				 text, vm_hold_text(vm, hold, sizeof(hold)));
	return diag_fail(EXIT_FAILED, "memattr-policy show", "cannot get the descriptor of %s: %s",
			 text, strerror(-err));
}

/* Callbacks that KVM calls only if a parameter of the module has a value. */
static const struct {
	const char *callback, *parameter, *value, *shown, *about;
} depends[] = {
	{ "gmem_block", "gmem_huge_pages", "policy", "policy", "hugepages of guest_memfds" },
	{ "gmem_fault", "gmem_in_place_conversion", "Y", "1", "the host's access to guest_memfds" },
};

/* If the parameter is not there, the kernel does not have the callback: not this one's error. */
static bool has_value(const char *parameter, const char *expected, char value[static 16])
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), KVM_PARAMETERS "%s", parameter);
	file = fopen(path, "re");
	if (!file)
		return true;
	if (fscanf(file, "%15s", value) != 1)
		value[0] = '\0';
	fclose(file);
	return !strcmp(value, expected);
}

/* A policy that KVM never asks would seem to work. */
static int check_asked(const struct policy *policy)
{
	static const char *const always[] = { "convert", "zap", "prefault" };
	char value[LENGTH(depends)][16], next[DIAG_TEXT_LEN];
	int never = -1;

	for (size_t i = 0; i < LENGTH(always); i++)
		if (policy_has_callback(policy, always[i]))
			return EXIT_OK;
	for (size_t i = 0; i < LENGTH(depends); i++) {
		if (!policy_has_callback(policy, depends[i].callback))
			continue;
		if (has_value(depends[i].parameter, depends[i].value, value[i]))
			return EXIT_OK;
		never = i;
	}
	if (never < 0)
		return EXIT_OK;
	snprintf(next, sizeof(next), "load KVM with kvm.%s=%s", depends[never].parameter, depends[never].shown);
	return diag_fail(EXIT_SYSTEM, next, "%s decides about %s only, and KVM asks no policy about that: "
			 KVM_PARAMETERS "%s is %s", policy->name, depends[never].about, depends[never].parameter, value[never]);
}

int attach_open(const struct options *options, struct policy *policy)
{
	struct diag why;
	int ret;

	ret = policy_open(policy, options->file);
	for (int i = 0; !ret && i < options->setting_count; i++)
		ret = params_set(policy->obj, policy->name, options->settings[i]);
	if (!ret && !diag_has(DIAG_BPF_RIGHTS, &why))
		ret = diag_print(&why, EXIT_SYSTEM);
	return ret ?: check_asked(policy);
}

int attach_load(const struct options *options, struct policy *policy, const struct vm *vm, int *vm_fd)
{
	int ret;

	*vm_fd = vm ? vm_open(vm) : -1;
	if (vm && *vm_fd < 0)
		return no_vm_fd(vm, *vm_fd);

	ret = policy_set_member(policy, "vm_fd", *vm_fd);
	if (!ret && options->budget_us)
		ret = policy_set_member(policy, "budget_us", options->budget_us);
	if (!ret)
		ret = policy_load(policy, options->verbose);
	if (ret && vm)
		close(*vm_fd);
	return ret;
}

int attach_report(const struct options *options, const struct policy *policy, const struct vm *vm,
		  const char *stays, int err)
{
	char scope[VM_TEXT_LEN], after[64] = "", next[DIAG_TEXT_LEN];
	struct diag why;

	scope_text(vm, scope);
	if (stays)
		snprintf(after, sizeof(after), "; %s stays in force", stays);
	if (err == -EPERM && !diag_has(DIAG_ADMIN_RIGHTS, &why))
		return diag_print(&why, EXIT_SYSTEM);
	if (err == -EOPNOTSUPP)
		return diag_fail(EXIT_FAILED, "memattr-policy show",
				 "%s: %s has no private memory, so there is nothing to govern",
				 policy->name, scope);
	snprintf(next, sizeof(next), "memattr-policy params %s", options->file);
	if (err == -ERANGE)
		return diag_fail(EXIT_USAGE, next, "%s: a parameter is out of its range%s",
				 policy->name, after);
	if (err == -ETIME)
		return diag_fail(EXIT_FAILED, "a larger --budget-us",
				 "%s: its vm_attach took longer than its budget of %u us%s",
				 policy->name, options->budget_us, after);
	return diag_fail(EXIT_FAILED, "check what the policy's vm_attach returns",
			 "%s: the kernel or the policy refuses %s: %s%s", policy->name,
			 vm || !stays ? scope : "a VM", strerror(-err), after);
}
