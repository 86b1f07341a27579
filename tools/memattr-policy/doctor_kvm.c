// SPDX-License-Identifier: GPL-2.0
/* The kernel and its KVM: loaded, on disk, and their types. */
#define _GNU_SOURCE
#include "doctor.h"
#include "kvm_btf.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MODULE_DIR "/sys/module/"
/* guest_memfd and private memory came with this version. */
#define OLDEST_MAJOR 6
#define OLDEST_MINOR 8

/* Debian 12's headers are older than this. */
#ifndef KVM_CAP_VM_TYPES
#define KVM_CAP_VM_TYPES 235
#endif

enum doctor_state doctor_kernel(struct diag *found)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	if (strcmp(name.machine, "x86_64")) {
		diag_set(found, "another host", "%s: policies are for x86-64", name.machine);
		return DOCTOR_LACKS;
	}
	if (major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR)) {
		diag_set(found, "apt-get install linux-image-amd64, and boot it",
			 "%s: KVM has private memory from Linux %u.%u on", name.release, OLDEST_MAJOR,
			 OLDEST_MINOR);
		return DOCTOR_LACKS;
	}
	if (strstr(name.release, "-cloud-")) {
		diag_set(found, "apt-get install linux-image-amd64, and boot it",
			 "%s: KVM of the cloud flavour has no memory attributes", name.release);
		return DOCTOR_LACKS;
	}
	diag_set(found, NULL, "%s, %s", name.release, name.machine);
	return DOCTOR_OK;
}

static bool module_loaded(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), MODULE_DIR "%s", name);
	return !access(path, F_OK);
}

/* Only a module has an initstate. */
static bool kvm_is_built_in(void)
{
	return module_loaded("kvm") && access(MODULE_DIR "kvm/initstate", F_OK);
}

enum doctor_state doctor_kvm(struct diag *found)
{
	char path[PATH_MAX], next[64];
	struct utsname name;

	uname(&name);
	snprintf(next, sizeof(next), "modprobe %s", doctor_vendor_for_cpu());
	if (kvm_is_built_in()) {
		diag_set(found, NULL, "built into the kernel");
		return DOCTOR_OK;
	}
	if (module_loaded("kvm")) {
		diag_set(found, NULL, "loaded, as a module");
		return DOCTOR_OK;
	}
	if (doctor_module_file(name.release, "kvm", path, sizeof(path)))
		diag_set(found, next, "KVM is not loaded; modprobe would load %s", path);
	else
		diag_set(found, "boot a kernel of Debian's, and install its memattr-kvm-modules package",
			 "KVM is not loaded, and there is no module kvm below " DOCTOR_MODULES_DIR "/%s",
			 name.release);
	return DOCTOR_LACKS;
}

/* What to do for patched modules, which are not loaded. Modules do not replace what is built in. */
static void next_for_stock(const char *release, char *next, size_t size)
{
	const char *vendor = doctor_vendor_for_cpu();
	char path[PATH_MAX];

	if (kvm_is_built_in())
		snprintf(next, size, "boot a kernel of Debian's, and install its memattr-kvm-modules package");
	else if (doctor_module_file(release, "kvm", path, sizeof(path)) && doctor_is_own(path))
		snprintf(next, size, "stop all VMs, then: modprobe -r %s kvm; modprobe %s", vendor, vendor);
	else
		snprintf(next, size, "apt-get install memattr-kvm-modules-%s; to build it: make deb", release);
}

enum doctor_state doctor_patched(struct diag *found)
{
	struct utsname name;

	if (diag_has(DIAG_MEMATTR, found)) {
		diag_set(found, NULL, "KVM has policies");
		return DOCTOR_OK;
	}
	/* The cause is then one of the other checks' as well, and has its next command. */
	if (!diag_has(DIAG_KVM_BTF, NULL))
		return DOCTOR_LACKS;
	uname(&name);
	next_for_stock(name.release, found->next, sizeof(found->next));
	return DOCTOR_LACKS;
}

/* Other kernels boot with stock KVM unless they have modules of their own. */
enum doctor_state doctor_next_boot(struct diag *found)
{
	char stock[DIAG_TEXT_LEN / 2] = "", path[PATH_MAX];
	unsigned int patched = 0;
	glob_t kernels;

	if (glob(DOCTOR_MODULES_DIR "/*/modules.dep", 0, NULL, &kernels)) {
		diag_set(found, NULL, "no kernel with modules is installed");
		return DOCTOR_OK;
	}
	for (size_t i = 0; i < kernels.gl_pathc; i++) {
		char *release = kernels.gl_pathv[i] + strlen(DOCTOR_MODULES_DIR "/");
		size_t len = strlen(stock);

		*strchr(release, '/') = '\0';
		if (!doctor_module_file(release, "kvm", path, sizeof(path)))
			continue;
		if (doctor_is_own(path))
			patched++;
		else
			snprintf(stock + len, sizeof(stock) - len, " %s", release);
	}
	globfree(&kernels);
	if (*stock)
		diag_set(found, "apt-get install memattr-kvm-modules-KERNEL for each that you want to boot",
			 "%u installed kernels have patched modules; these have stock KVM only:%s", patched,
			 stock);
	else
		diag_set(found, NULL, "%u installed kernels have patched modules, and none has stock KVM only",
			 patched);
	return *stock ? DOCTOR_NOTE : DOCTOR_OK;
}

enum doctor_state doctor_in_place(struct diag *found)
{
	char value[16];

	if (!doctor_read_line(MODULE_DIR "kvm/parameters/gmem_in_place_conversion", value, sizeof(value)))
		diag_set(found, NULL, "this KVM does not convert in place");
	else if (*value == 'Y')
		diag_set(found, NULL, "on: one page serves both states");
	else
		diag_set(found, NULL, "off, which is the default; kvm.gmem_in_place_conversion=1 switches it on");
	return DOCTOR_OK;
}

enum doctor_state doctor_hugepages(struct diag *found)
{
	char value[16];

	if (!doctor_read_line(MODULE_DIR "kvm/parameters/gmem_huge_pages", value, sizeof(value)))
		diag_set(found, NULL, "this KVM has none of guest_memfd");
	else if (!strcmp(value, "always"))
		diag_set(found, NULL, "always: KVM allocates guest_memfds in blocks of 2 MiB where it can");
	else if (!strcmp(value, "policy"))
		diag_set(found, NULL, "policy: those that a VM's policy wants, as gmem_huge does; none without one");
	else
		diag_set(found, NULL, "%s of guest_memfd; kvm.gmem_huge_pages=policy or =always allows them", value);
	return DOCTOR_OK;
}

/* Bits of KVM_CAP_VM_TYPES, by the kernel's numbers. */
static const char *const vm_types[] = {
	"default", "software-protected", "SEV", "SEV-ES", "SEV-SNP", "TDX",
};

enum doctor_state doctor_vm_types(struct diag *found)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), types;
	char text[128] = "";

	if (fd < 0) {
		diag_set(found, NULL, "not known: cannot open /dev/kvm: %s", strerror(errno));
		return DOCTOR_NOTE;
	}
	types = ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_VM_TYPES);
	close(fd);
	for (size_t i = 0; types > 0 && i < sizeof(vm_types) / sizeof(*vm_types); i++)
		if (types & 1 << i)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 *text ? ", " : "", vm_types[i]);
	if (types > 1) {
		diag_set(found, NULL, "%s", text);
		return DOCTOR_OK;
	}
	diag_set(found, "docs/install.md says how to allow software-protected VMs, which are for tests",
		 "KVM offers no VMs with private memory here, so policies have nothing to govern");
	return DOCTOR_NOTE;
}

enum doctor_state doctor_btf(struct diag *found)
{
	return doctor_need(DIAG_KVM_BTF, found, "the kernel's and KVM's types can be read");
}

/* The module's own definition of a struct that vmlinux has, too: other members or other offsets. */
static bool struct_differs(const struct kvm_btf *kvm, const struct btf_type *own)
{
	const char *name = btf__name_by_offset(kvm->btf, own->name_off);
	int id = btf__find_by_name_kind(kvm->vmlinux, name, BTF_KIND_STRUCT);
	const struct btf_type *old;

	if (id < 0)
		return false;
	old = btf__type_by_id(kvm->vmlinux, id);
	if (old->size != own->size)
		return true;
	for (int i = 0; i < btf_vlen(old); i++) {
		const char *member = btf__name_by_offset(kvm->vmlinux, btf_members(old)[i].name_off);

		if (*member && btf_member_offset(kvm->btf, own, member) !=
			       (int)btf_member_bit_offset(old, i) / 8)
			return true;
	}
	return false;
}

static bool is_kvm_struct(const struct kvm_btf *kvm, const struct btf_type *type)
{
	const char *name = btf__name_by_offset(kvm->btf, type->name_off);

	return btf_is_struct(type) && (!strcmp(name, "kvm") || !strncmp(name, "kvm_", 4));
}

enum doctor_state doctor_types(struct diag *found)
{
	unsigned int differ = 0;
	struct kvm_btf kvm;

	if (!diag_has(DIAG_KVM_BTF, NULL) || kvm_btf_load(&kvm)) {
		diag_set(found, NULL, "not known: KVM's types cannot be read");
		return DOCTOR_NOTE;
	}
	for (unsigned int id = btf__type_cnt(kvm.vmlinux); id < btf__type_cnt(kvm.btf); id++) {
		const struct btf_type *type = btf__type_by_id(kvm.btf, id);

		differ += is_kvm_struct(&kvm, type) && struct_differs(&kvm, type);
	}
	kvm_btf_free(&kvm);
	if (differ)
		diag_set(found, "memattr's tools, which know; other programs must take the types of module kvm",
			 "%u of KVM's structs are not as vmlinux's types say; programs that believe these read wrong values",
			 differ);
	else
		diag_set(found, NULL, "KVM's types are what vmlinux says, or only the module has them");
	return differ ? DOCTOR_NOTE : DOCTOR_OK;
}
