// SPDX-License-Identifier: GPL-2.0
/*
 * Makes one BTF of vmlinux's and of kvm's, in which those structs of vmlinux have no name that kvm defines as
 * well. Types and strings of a module are numbered from where those of vmlinux end: both are written one after
 * the other as they are.
 *
 * A module's BTF leaves out what vmlinux defines alike, but for a few: pahole does not recognize an enum that
 * vmlinux only declares, nor a struct that refers to it. These do no harm. If all are of that kind, as where
 * vmlinux and the module are from one build, there is nothing to merge.
 */
#define _GNU_SOURCE
#include "kvm_core.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm_btf.h"

struct named_type {
	const char *name;	/* NULL if CO-RE does not look for such a type by name */
	__u32 kind, id;
};

/* BTF as it is in a file. */
struct raw {
	const struct btf_header *header;
	const char *types, *strings;
};

static struct named_type name_type(const struct btf *btf, __u32 id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);
	struct named_type named = { .kind = btf_kind(type), .id = id };

	if (type->name_off && (btf_is_composite(type) || btf_is_any_enum(type)))
		named.name = btf__name_by_offset(btf, type->name_off);
	return named;
}

static int compare_types(const void *a, const void *b)
{
	const struct named_type *one = a, *other = b;

	if (one->kind != other->kind)
		return one->kind < other->kind ? -1 : 1;
	return strcmp(one->name, other->name);
}

/* Stores the types of the module itself, sorted. Returns how many, or -errno. */
static int list_module_types(const struct kvm_btf *kvm, struct named_type **types)
{
	__u32 first = btf__type_cnt(kvm->vmlinux), end = btf__type_cnt(kvm->btf);
	int count = 0;

	*types = calloc(end - first + 1, sizeof(**types));
	if (!*types)
		return -ENOMEM;
	for (__u32 id = first; id < end; id++) {
		struct named_type type = name_type(kvm->btf, id);

		if (type.name)
			(*types)[count++] = type;
	}
	qsort(*types, count, sizeof(**types), compare_types);
	return count;
}

/*
 * Stores the ids of vmlinux's types that kvm defines as well. Returns how many, 0 if kvm defines all of them alike,
 * or -errno.
 */
static int list_hidden_types(const struct kvm_btf *kvm, __u32 **ids)
{
	__u32 end = btf__type_cnt(kvm->vmlinux);
	struct named_type *module_types;
	int count = 0, module_count = list_module_types(kvm, &module_types);
	bool differ = false;

	if (module_count < 0)
		return module_count;
	*ids = calloc(end, sizeof(**ids));
	for (__u32 id = 1; *ids && id < end; id++) {
		struct named_type type = name_type(kvm->vmlinux, id), *defined = NULL;

		if (type.name)
			defined = bsearch(&type, module_types, module_count, sizeof(type), compare_types);
		if (!defined)
			continue;
		(*ids)[count++] = id;
		differ = differ || !btf_same_layout(kvm->btf, id, defined->id);
	}
	free(module_types);
	if (!*ids)
		return -ENOMEM;
	return differ ? count : 0;
}

static struct raw raw_of(const struct btf *btf)
{
	__u32 size;
	const struct btf_header *header = btf__raw_data(btf, &size);
	const char *content = (const char *)header + header->hdr_len;

	return (struct raw){ header, content + header->type_off, content + header->str_off };
}

static int write_all(int fd, const void *data, size_t bytes)
{
	const char *from = data;

	for (ssize_t n; bytes; from += n, bytes -= n) {
		n = write(fd, from, bytes);
		if (n < 0)
			return -errno;
	}
	return 0;
}

static int write_merged(const struct raw *vmlinux, const struct raw *module, int fd)
{
	struct btf_header header = *vmlinux->header;
	int err;

	header.hdr_len = sizeof(header);
	header.type_off = 0;
	header.type_len += module->header->type_len;
	header.str_off = header.type_len;
	header.str_len += module->header->str_len;

	err = write_all(fd, &header, sizeof(header));
	if (!err)
		err = write_all(fd, vmlinux->types, vmlinux->header->type_len);
	if (!err)
		err = write_all(fd, module->types, module->header->type_len);
	if (!err)
		err = write_all(fd, vmlinux->strings, vmlinux->header->str_len);
	if (!err)
		err = write_all(fd, module->strings, module->header->str_len);
	return err;
}

/* Takes the names of vmlinux's types from the merged BTF. */
static int hide_types(const struct btf *btf, const struct raw *vmlinux, const __u32 *ids, int count,
		      int fd)
{
	const __u32 no_name = 0;

	for (int i = 0; i < count; i++) {
		const char *type = (const char *)btf__type_by_id(btf, ids[i]);
		off_t at = sizeof(struct btf_header) + (type - vmlinux->types) +
			   offsetof(struct btf_type, name_off);

		if (pwrite(fd, &no_name, sizeof(no_name), at) != sizeof(no_name))
			return -errno;
	}
	return 0;
}

static int merge(struct kvm_core *core, const struct kvm_btf *kvm, const __u32 *hidden, int count)
{
	struct raw vmlinux = raw_of(kvm->vmlinux), module = raw_of(kvm->btf);
	int err;

	core->fd = memfd_create("kvm-btf", MFD_CLOEXEC);
	if (core->fd < 0)
		return -errno;
	err = write_merged(&vmlinux, &module, core->fd);
	if (!err)
		err = hide_types(kvm->vmlinux, &vmlinux, hidden, count, core->fd);
	if (err) {
		close(core->fd);
		return err;
	}
	snprintf(core->path, sizeof(core->path), "/proc/self/fd/%d", core->fd);
	core->custom.sz = sizeof(core->custom);
	core->custom.btf_custom_path = core->path;
	core->options = &core->custom;
	return 0;
}

int kvm_core_open(struct kvm_core *core)
{
	__u32 *hidden = NULL;
	struct kvm_btf kvm;
	int ret;

	*core = (struct kvm_core){};
	if (access(KVM_BTF, R_OK))
		return 0;
	ret = kvm_btf_load(&kvm);
	if (ret)
		return ret;
	ret = list_hidden_types(&kvm, &hidden);
	if (ret > 0)
		ret = merge(core, &kvm, hidden, ret);
	free(hidden);
	kvm_btf_free(&kvm);
	return ret;
}

void kvm_core_close(struct kvm_core *core)
{
	if (core->options)
		close(core->fd);
	core->options = NULL;
}
