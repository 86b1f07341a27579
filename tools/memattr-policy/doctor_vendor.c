// SPDX-License-Identifier: GPL-2.0
/* What makes VMs run: the CPU, and KVM's module for it. KVM itself says whether VMs can be created. */
#define _GNU_SOURCE
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEV_KVM "/dev/kvm"
/* KVM's modules for CPUs, whoever made them. */
#define VENDOR_MODULES "/sys/module/kvm_*"

/* Creates a VM, which ends at once. Returns 0, or a negative errno; @opened says how far it came. */
static int try_vm(bool *opened)
{
	int kvm = open(DEV_KVM, O_RDWR | O_CLOEXEC), vm, err;

	*opened = kvm >= 0;
	if (kvm < 0)
		return -errno;
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	err = vm < 0 ? -errno : 0;
	if (vm >= 0)
		close(vm);
	close(kvm);
	return err;
}

const char *doctor_vendor_for_cpu(void)
{
	char line[64];
	FILE *file = fopen("/proc/cpuinfo", "re");
	const char *name = "kvm-amd";

	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, "GenuineIntel"))
			name = "kvm-intel";
	if (file)
		fclose(file);
	return name;
}

/* The modules that this project patches. */
static bool is_known(const char *module)
{
	return !strcmp(module, "kvm_amd") || !strcmp(module, "kvm_intel");
}

/* Finds the vendor module; if there are several, one that is known. Returns false if there is none. */
static bool find_module(char *name, size_t size)
{
	glob_t modules;

	*name = '\0';
	if (glob(VENDOR_MODULES, 0, NULL, &modules))
		return false;
	for (size_t i = 0; i < modules.gl_pathc; i++) {
		const char *found = strrchr(modules.gl_pathv[i], '/') + 1;

		if (!*name || is_known(found))
			snprintf(name, size, "%s", found);
	}
	globfree(&modules);
	return true;
}

static bool cpu_has(const char *flags, const char *flag)
{
	const char *at = strstr(flags, flag);

	return at && at[-1] == ' ' && (at[strlen(flag)] == ' ' || !at[strlen(flag)]);
}

/* Returns the name of the CPU's hardware virtualization, or NULL. */
static const char *cpu_virtualization(void)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	const char *virt = NULL;
	char line[8192];

	while (file && !virt && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "flags", 5))
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (cpu_has(line, "svm"))
			virt = "SVM, of AMD";
		else if (cpu_has(line, "vmx"))
			virt = "VMX, of Intel";
	}
	if (file)
		fclose(file);
	return virt;
}

enum doctor_state doctor_cpu(struct diag *found)
{
	const char *virt = cpu_virtualization();
	bool opened;

	if (virt) {
		diag_set(found, NULL, "hardware virtualization: %s", virt);
		return DOCTOR_OK;
	}
	if (!try_vm(&opened)) {
		diag_set(found, NULL,
			 "neither svm nor vmx is in /proc/cpuinfo, but this KVM creates VMs without them");
		return DOCTOR_NOTE;
	}
	diag_set(found, "switch it on in the firmware's setup; in a VM: nested virtualization, on the host",
		 "the CPU offers no hardware virtualization: neither svm nor vmx is in /proc/cpuinfo");
	return DOCTOR_LACKS;
}

/* A VM could not be created, for @err (negative errno): sets @found to why. */
static enum doctor_state no_vm(struct diag *found, const char *module, bool opened, int err)
{
	char next[64];

	snprintf(next, sizeof(next), "modprobe %s; dmesg", doctor_vendor_for_cpu());
	if (!*module) {
		diag_set(found, next, "neither kvm_amd nor kvm_intel is loaded, so no VM can be created");
	} else if (opened) {
		diag_set(found, "dmesg; and stop other hypervisors, for example VirtualBox",
			 "%s is loaded, but KVM cannot create a VM: %s", module, strerror(-err));
	} else if (err == -ENOENT) {
		diag_set(found, next, "%s is loaded, but there is no " DEV_KVM, module);
	} else if (err == -EACCES || err == -EPERM) {
		diag_set(found, "run it as root, for example with sudo",
			 "%s; whether it creates VMs is not known: cannot open " DEV_KVM ": %s", module,
			 strerror(-err));
		return DOCTOR_NOTE;
	} else {
		diag_set(found, next, "%s is loaded, but " DEV_KVM " cannot be opened: %s", module,
			 strerror(-err));
	}
	return DOCTOR_LACKS;
}

enum doctor_state doctor_vendor_module(struct diag *found)
{
	bool opened, has_module;
	char module[64];
	int err;

	has_module = find_module(module, sizeof(module));
	err = try_vm(&opened);
	if (err)
		return no_vm(found, module, opened, err);
	if (is_known(module)) {
		diag_set(found, NULL, "%s", module);
		return DOCTOR_OK;
	}
	diag_set(found, NULL, "%s creates VMs, but the packages patch KVM for kvm_amd and kvm_intel only",
		 has_module ? module : "a module without a name");
	return DOCTOR_NOTE;
}
