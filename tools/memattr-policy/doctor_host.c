// SPDX-License-Identifier: GPL-2.0
/* The host around KVM: rights, file systems, what is installed and attached. */
#define _GNU_SOURCE
#include "boot_rules.h"
#include "doctor.h"
#include "links.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The number of the first PID namespace in every kernel (PROC_PID_INIT_INO). */
#define FIRST_PID_NAMESPACE 0xeffffffcU

enum doctor_state doctor_rights(struct diag *found)
{
	static const enum diag_need needs[] = { DIAG_BPF_RIGHTS, DIAG_ADMIN_RIGHTS, DIAG_PTRACE_RIGHTS };

	for (size_t i = 0; i < sizeof(needs) / sizeof(*needs); i++)
		if (!diag_has(needs[i], found))
			return DOCTOR_LACKS;
	diag_set(found, NULL, "all capabilities that the commands need");
	return DOCTOR_OK;
}

enum doctor_state doctor_pid_namespace(struct diag *found)
{
	struct stat namespace;

	if (access("/proc/self/status", F_OK)) {
		diag_set(found, "mount -t proc proc /proc", "/proc is not mounted");
		return DOCTOR_LACKS;
	}
	/* A kernel can be built without namespaces. */
	if (stat("/proc/self/ns/pid", &namespace) || namespace.st_ino == FIRST_PID_NAMESPACE) {
		diag_set(found, NULL, "the host's");
		return DOCTOR_OK;
	}
	diag_set(found, "run it on the host, outside of the container",
		 "this process is in a PID namespace of its own, in which it cannot find the processes of VMs");
	return DOCTOR_LACKS;
}

enum doctor_state doctor_jit(struct diag *found)
{
	char line[16];

	if (doctor_read_line("/proc/sys/net/core/bpf_jit_enable", line, sizeof(line)) &&
	    !strcmp(line, "0")) {
		diag_set(found, "sysctl net.core.bpf_jit_enable=1",
			 "the BPF JIT compiler is switched off, and policies cannot be interpreted");
		return DOCTOR_LACKS;
	}
	diag_set(found, NULL, "the BPF JIT compiler is on");
	return DOCTOR_OK;
}

enum doctor_state doctor_bpffs(struct diag *found)
{
	return doctor_need(DIAG_BPFFS, found, "mounted on /sys/fs/bpf");
}

enum doctor_state doctor_debugfs(struct diag *found)
{
	return doctor_need(DIAG_DEBUGFS, found, "mounted on /sys/kernel/debug");
}

enum doctor_state doctor_installed(struct diag *found)
{
	glob_t files;

	if (!glob(POLICY_DIR "/*.bpf.o", 0, NULL, &files)) {
		diag_set(found, NULL, "%zu BPF files in " POLICY_DIR, files.gl_pathc);
		globfree(&files);
		return DOCTOR_OK;
	}
	diag_set(found, "apt-get install --reinstall memattr, or in the sources: make install",
		 "there are no policies in " POLICY_DIR);
	return DOCTOR_NOTE;
}

enum doctor_state doctor_rules(struct diag *found)
{
	struct boot_rules rules;
	enum doctor_state state = DOCTOR_OK;

	if (boot_rules_read(BOOT_RULES_DIR, &rules) && !rules.wrong) {
		diag_set(found, "run it as root, for example with sudo", "cannot read " BOOT_RULES_DIR);
		state = DOCTOR_NOTE;
	} else if (rules.wrong) {
		diag_set(found, "correct them, then: memattr-policy apply",
			 "%zu files in " BOOT_RULES_DIR " are wrong, see above; %zu are right", rules.wrong,
			 rules.count);
		state = DOCTOR_NOTE;
	} else {
		diag_set(found, NULL, "%zu files in " BOOT_RULES_DIR, rules.count);
	}
	boot_rules_free(&rules);
	return state;
}

enum doctor_state doctor_vms(struct diag *found)
{
	size_t governable = 0;
	struct vm_list list;
	int err = vm_list_read(&list, 0);

	if (err) {
		diag_set(found, "run it as root, for example with sudo", "cannot look for VMs: %s",
			 strerror(-err));
		return DOCTOR_NOTE;
	}
	for (size_t i = 0; i < list.count; i++) {
		struct vm_policy policy;

		governable += !vm_policy_read(&list.vms[i], &policy);
	}
	diag_set(found, NULL, "%zu VMs, %zu of them with private memory that a policy can govern", list.count,
		 governable);
	vm_list_free(&list);
	return DOCTOR_OK;
}

/* A VM whose last policy was ejected: sets @found. */
static bool find_ejected(struct diag *found)
{
	struct vm_list list;
	bool ejected = false;

	if (vm_list_read(&list, 0))
		return false;
	for (size_t i = 0; !ejected && i < list.count; i++) {
		const struct vm *vm = &list.vms[i];
		struct vm_policy policy;

		if (vm_policy_read(vm, &policy) || policy.policy[0] || !policy.ejections)
			continue;
		ejected = true;
		diag_set(found, "correct the policy or raise its budget, then: memattr-policy apply",
			 "VM %d-%d (%s) is without a policy, because %s was ejected: %s", vm->pid, vm->fd,
			 vm->name, policy.exit_policy, policy.exit_text);
	}
	vm_list_free(&list);
	return ejected;
}

enum doctor_state doctor_attached(struct diag *found)
{
	struct policy_links links;
	int err = policy_links_read(&links);

	if (err) {
		diag_set(found, "run it as root, for example with sudo", "cannot list policies: %s",
			 strerror(-err));
		return DOCTOR_NOTE;
	}
	diag_set(found, NULL, "%zu are attached", links.count);
	policy_links_free(&links);
	return find_ejected(found) ? DOCTOR_NOTE : DOCTOR_OK;
}

/* A pin whose link holds nothing any more. */
static bool pin_is_idle(const char *name)
{
	struct policy_link link;
	char path[PATH_MAX];
	bool idle;
	int fd;

	snprintf(path, sizeof(path), PIN_DIR "/%s", name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return false;
	idle = policy_link_read(fd, &link) == -ENOLINK;
	close(fd);
	return idle;
}

enum doctor_state doctor_pins(struct diag *found)
{
	unsigned int pins = 0, idle = 0;
	struct dirent *entry;
	DIR *dir = opendir(PIN_DIR);

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		pins++;
		idle += pin_is_idle(entry->d_name);
	}
	if (dir)
		closedir(dir);
	diag_set(found, idle ? "memattr-policy apply" : NULL,
		 "%u in " PIN_DIR ", %u of them without a policy, because it was ejected or its VM ended", pins,
		 idle);
	return idle ? DOCTOR_NOTE : DOCTOR_OK;
}
