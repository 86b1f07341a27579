// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <string.h>

#include "kvm_btf.h"
#include "kvm_core.h"
#include "policy.h"

/* It stays open: who opens an object loads it later, or opens more than one. */
static struct kvm_core core;

const struct bpf_object_open_opts *kvm_open_options(void)
{
	int err = core.options ? 0 : kvm_core_open(&core);

	if (err)
		errx(1, "cannot read KVM's types: %s", strerror(-err));
	return core.options;
}

void kvm_close_options(void)
{
	kvm_core_close(&core);
}

struct bpf_map *find_policy(const struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS)
			return map;
	return NULL;
}

void *policy_member(const struct bpf_object *object, struct bpf_map *policy, const char *name)
{
	const struct btf *btf = bpf_object__btf(object);
	const struct btf_type *type = btf__type_by_id(btf, bpf_map__btf_value_type_id(policy));
	int offset = btf_member_offset(btf, type, name);

	return offset < 0 ? NULL : (char *)bpf_map__initial_value(policy, NULL) + offset;
}

struct bpf_map *open_policy(const char *file, int vm_fd, struct bpf_object **object)
{
	struct bpf_map *policy;
	int32_t *member;

	*object = bpf_object__open_file(file, kvm_open_options());
	policy = *object ? find_policy(*object) : NULL;
	member = policy ? policy_member(*object, policy, "vm_fd") : NULL;
	if (!member)
		errx(1, "%s: there is no policy in it", file);
	*member = vm_fd;
	return policy;
}

struct bpf_map *load_policy(const char *file, int vm_fd)
{
	struct bpf_object *object;
	struct bpf_map *policy = open_policy(file, vm_fd, &object);

	if (bpf_object__load(object))
		err(1, "cannot load %s", file);
	return policy;
}
