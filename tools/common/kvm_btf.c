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

/* Equal strings of BTF and its base have one offset. If they had two, the types would only count as different. */
static bool same_members(const struct btf *btf, const struct btf_type *type, const struct btf_type *other)
{
	const struct btf_member *member = btf_members(type), *other_member = btf_members(other);

	for (int i = 0; i < btf_vlen(type); i++, member++, other_member++)
		if (member->name_off != other_member->name_off || member->offset != other_member->offset ||
		    !btf_same_layout(btf, member->type, other_member->type))
			return false;
	return true;
}

static bool same_values(const struct btf_type *type, const struct btf_type *other)
{
	size_t bytes = btf_is_enum(type) ? sizeof(struct btf_enum) : sizeof(struct btf_enum64);

	if (!btf_vlen(type) || !btf_vlen(other))
		return true;
	return btf_vlen(type) == btf_vlen(other) && !memcmp(type + 1, other + 1, bytes * btf_vlen(type));
}

static bool same_arrays(const struct btf *btf, const struct btf_type *type, const struct btf_type *other)
{
	const struct btf_array *array = btf_array(type), *other_array = btf_array(other);

	return array->nelems == other_array->nelems && btf_same_layout(btf, array->type, other_array->type);
}

bool btf_same_layout(const struct btf *btf, __u32 id, __u32 other_id)
{
	int one_id = btf__resolve_type(btf, id), two_id = btf__resolve_type(btf, other_id);
	const struct btf_type *type, *other;

	if (one_id < 0 || two_id < 0 || one_id == two_id)
		return one_id == two_id;
	type = btf__type_by_id(btf, one_id);
	other = btf__type_by_id(btf, two_id);
	if (btf_kind(type) != btf_kind(other))
		return false;
	if (btf_is_ptr(type))
		return true;
	if (type->name_off != other->name_off || type->size != other->size)
		return false;
	if (btf_is_any_enum(type))
		return same_values(type, other);
	if (btf_is_array(type))
		return same_arrays(btf, type, other);
	/* The info is the number of members, and whether there are bit-fields. */
	return type->info == other->info && (!btf_is_composite(type) || same_members(btf, type, other));
}
