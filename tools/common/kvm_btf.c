// SPDX-License-Identifier: GPL-2.0
#include "kvm_btf.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int kvm_btf_load(struct kvm_btf *kvm)
{
	int err;

	*kvm = (struct kvm_btf){};
	kvm->vmlinux = btf__load_vmlinux_btf();
	if (!kvm->vmlinux)
		return -errno;
	if (access(KVM_BTF, R_OK)) {
		kvm->btf = kvm->vmlinux;
		return 0;
	}
	kvm->btf = btf__load_module_btf("kvm", kvm->vmlinux);
	if (!kvm->btf) {
		err = -errno;
		btf__free(kvm->vmlinux);
		return err;
	}
	return 0;
}

void kvm_btf_free(struct kvm_btf *kvm)
{
	if (kvm->btf != kvm->vmlinux)
		btf__free(kvm->btf);
	btf__free(kvm->vmlinux);
	*kvm = (struct kvm_btf){};
}

int btf_member_offset(const struct btf *btf, const struct btf_type *type, const char *name)
{
	const struct btf_member *member = btf_members(type);

	for (int i = 0; i < btf_vlen(type); i++, member++)
		if (!strcmp(btf__name_by_offset(btf, member->name_off), name))
			return btf_member_bit_offset(type, i) / 8;
	return -ENOENT;
}
