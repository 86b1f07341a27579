// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's tracepoint for exits passes the vCPU only. The reason is in what kvm_amd or kvm_intel have around it, and the
 * types of these modules say where.
 */
#include "reasons.h"

#include <bpf/btf.h>
#include <stdio.h>
#include <unistd.h>

#include "kvm_btf.h"

static const struct btf_type *struct_named(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);

	return id < 0 ? NULL : btf__type_by_id(btf, id);
}

/* Returns the member's offset in a struct, or 0. */
static __u32 offset_of(const struct btf *btf, const char *type_name, const char *member)
{
	const struct btf_type *type = struct_named(btf, type_name);
	int offset = type ? btf_member_offset(btf, type, member) : -1;

	return offset > 0 ? offset : 0;
}

static void find_svm(const struct btf *btf, struct reasons_at *at)
{
	const struct btf_type *control = struct_named(btf, "vmcb_control_area");
	int exit_code = control ? btf_member_offset(btf, control, "exit_code") : -1;

	at->svm_vmcb = offset_of(btf, "vcpu_svm", "vmcb");
	/* The control area comes first in a VMCB. */
	if (exit_code > 0)
		at->vmcb_exit_code = exit_code;
	else
		at->svm_vmcb = 0;
}

static void find_vmx(const struct btf *btf, struct reasons_at *at)
{
	__u32 common = offset_of(btf, "vcpu_vmx", "vt");

	at->vmx_exit_reason = offset_of(btf, "vcpu_vmx", "exit_reason");
	/* Linux 6.16 moved it into a struct that TDX uses as well. */
	if (!at->vmx_exit_reason && common)
		at->vmx_exit_reason = common + offset_of(btf, "vcpu_vt", "exit_reason");
}

static void find_in(const char *module, void (*find)(const struct btf *btf, struct reasons_at *at),
		    struct btf *vmlinux, struct reasons_at *at)
{
	char path[64];
	struct btf *btf;

	snprintf(path, sizeof(path), "/sys/kernel/btf/%s", module);
	/* It is built in, or it is not loaded, and then vmlinux has nothing of it. */
	btf = access(path, R_OK) ? NULL : btf__load_module_btf(module, vmlinux);
	find(btf ?: vmlinux, at);
	btf__free(btf);
}

bool reasons_find(struct reasons_at *at, struct snapshot_hook *hook)
{
	struct btf *vmlinux = btf__load_vmlinux_btf();

	*at = (struct reasons_at){};
	*hook = (struct snapshot_hook){ .metric = "exit reasons", .hook = "n/a" };
	if (vmlinux) {
		find_in("kvm_amd", find_svm, vmlinux, at);
		find_in("kvm_intel", find_vmx, vmlinux, at);
	}
	btf__free(vmlinux);
	if (at->svm_vmcb)
		snprintf(hook->hook, sizeof(hook->hook), "read:struct vcpu_svm");
	else if (at->vmx_exit_reason)
		snprintf(hook->hook, sizeof(hook->hook), "read:struct vcpu_vmx");
	else
		snprintf(hook->note, sizeof(hook->note), "the types of neither kvm_amd nor kvm_intel can be read");
	return at->svm_vmcb || at->vmx_exit_reason;
}
