// SPDX-License-Identifier: GPL-2.0
/*
 * Compares what memattr.bpf.h declares with the kernel's BTF. Prints a line for each difference, and
 * how much it has compared. Exit status 1: there are differences; 2: there is nothing to compare.
 *
 * usage: contract OBJECT VMLINUX [KVM.KO]
 *
 * The object has a variable use_NAME for each type, and for each function a pointer of its type.
 */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>

#define PREFIX "use_"

/* Policies see a part of it, by CO-RE: the order and the rest of the members are KVM's business. */
static const char *const partial[] = { "kvm" };

/* In the kernel's BTF, but of no use for policies. */
static const char *const internal[] = { "kvm_bpf_kfunc_filter" };

static struct btf *header, *kernel;
static unsigned int compared, differences;

#define is_one_of(name, list) find(name, list, sizeof(list) / sizeof(*(list)))

static bool find(const char *name, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(name, list[i]))
			return true;
	return false;
}

static bool starts_with(const char *name, const char *start)
{
	return !strncmp(name, start, strlen(start));
}

static void expect(bool same, const char *where, const char *name, const char *difference)
{
	compared++;
	if (same)
		return;
	differences++;
	printf("%s%s%s: %s\n", where, *where && *name ? "." : "", name, difference);
}

static const char *header_name(__u32 offset)
{
	return btf__name_by_offset(header, offset);
}

static const char *kernel_name(__u32 offset)
{
	return btf__name_by_offset(kernel, offset);
}

static const struct btf_type *resolve(const struct btf *btf, __u32 id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	while (btf_is_typedef(type) || btf_is_volatile(type))
		type = btf__type_by_id(btf, type->type);
	return type;
}

static bool same_type(__u32 header_id, __u32 kernel_id);

static bool same_members(const struct btf_type *h, const struct btf_type *k)
{
	const struct btf_member *hm = btf_members(h), *km = btf_members(k);

	if (btf_vlen(h) != btf_vlen(k) || h->size != k->size)
		return false;
	for (int i = 0; i < btf_vlen(h); i++)
		if (strcmp(header_name(hm[i].name_off), kernel_name(km[i].name_off)) ||
		    btf_member_bit_offset(h, i) != btf_member_bit_offset(k, i) ||
		    !same_type(hm[i].type, km[i].type))
			return false;
	return true;
}

static bool same_prototype(const struct btf_type *h, const struct btf_type *k)
{
	if (btf_vlen(h) != btf_vlen(k) || !same_type(h->type, k->type))
		return false;
	for (int i = 0; i < btf_vlen(h); i++)
		if (!same_type(btf_params(h)[i].type, btf_params(k)[i].type))
			return false;
	return true;
}

/* Structures and enums that have a name are compared by themselves: here, the name is enough. */
static bool same_type(__u32 header_id, __u32 kernel_id)
{
	const struct btf_type *h = resolve(header, header_id), *k = resolve(kernel, kernel_id);
	const char *name = header_name(h->name_off);

	if ((btf_is_composite(h) || btf_is_fwd(h)) && *name)
		return (btf_is_composite(k) || btf_is_fwd(k)) && !strcmp(name, kernel_name(k->name_off));
	if (btf_kind(h) != btf_kind(k))
		return false;
	switch (btf_kind(h)) {
	case BTF_KIND_CONST:
	case BTF_KIND_PTR:
		return same_type(h->type, k->type);
	case BTF_KIND_INT:
		/* The kernel's char has no sign, whatever the compiler's default is. */
		if (!strcmp(name, "char"))
			return !strcmp(name, kernel_name(k->name_off));
		return h->size == k->size && btf_int_encoding(h) == btf_int_encoding(k);
	case BTF_KIND_ARRAY:
		return btf_array(h)->nelems == btf_array(k)->nelems &&
		       same_type(btf_array(h)->type, btf_array(k)->type);
	case BTF_KIND_FUNC_PROTO:
		return same_prototype(h, k);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return same_members(h, k);
	default:
		return !strcmp(name, kernel_name(k->name_off));
	}
}

static const struct btf_enum *find_value(const struct btf *btf, const struct btf_type *type,
					 const char *name)
{
	for (int i = 0; i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_enum(type)[i].name_off), name))
			return &btf_enum(type)[i];
	return NULL;
}

static void compare_enum(const struct btf_type *h, const struct btf_type *k)
{
	for (int i = 0; i < btf_vlen(h); i++) {
		const char *name = header_name(btf_enum(h)[i].name_off);
		const struct btf_enum *value = find_value(kernel, k, name);

		expect(value, "", name, "the kernel does not have it");
		if (value)
			expect(value->val == btf_enum(h)[i].val, "", name, "has another value");
	}
	for (int i = 0; i < btf_vlen(k); i++) {
		const char *name = kernel_name(btf_enum(k)[i].name_off);

		if (!is_one_of(name, internal))
			expect(find_value(header, h, name), "", name, "only the kernel has it");
	}
}

static const struct btf_member *find_member(const struct btf *btf, const struct btf_type *type,
					    const char *name)
{
	for (int i = 0; i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), name))
			return &btf_members(type)[i];
	return NULL;
}

/* What is ours in a structure of KVM's, by its name. */
static bool is_for_policies(const char *member)
{
	return starts_with(member, "memattr_") || starts_with(member, "prefaulted_");
}

static void compare_members(const char *type, const struct btf_type *h, const struct btf_type *k)
{
	bool part = is_one_of(type, partial);

	for (int i = 0; i < btf_vlen(h); i++) {
		const char *name = header_name(btf_members(h)[i].name_off);
		const struct btf_member *member = find_member(kernel, k, name);

		expect(member, type, name, "the kernel does not have it");
		if (!member)
			continue;
		expect(same_type(btf_members(h)[i].type, member->type), type, name,
		       "has another type");
		if (!part)
			expect(btf_members(h)[i].offset == member->offset, type, name,
			       "is in another place");
	}
	for (int i = 0; i < btf_vlen(k); i++) {
		const char *name = kernel_name(btf_members(k)[i].name_off);

		if (part ? strcmp(type, "kvm") && is_for_policies(name) : *name)
			expect(find_member(header, h, name), type, name, "only the kernel has it");
	}
	if (!part)
		expect(h->size == k->size, type, "", "has another size");
}

static void compare_function(const char *name, const struct btf_type *prototype)
{
	int id = btf__find_by_name_kind(kernel, name, BTF_KIND_FUNC);

	expect(id > 0, "", name, "the kernel does not have it");
	if (id > 0)
		expect(same_prototype(prototype, resolve(kernel, btf__type_by_id(kernel, id)->type)), "",
		       name, "has another prototype");
}

static void compare_item(const char *name, const struct btf_type *type)
{
	const struct btf_type *k;
	int id;

	if (btf_is_ptr(type)) {
		compare_function(name, resolve(header, type->type));
		return;
	}
	id = btf__find_by_name_kind(kernel, name, btf_kind(type));
	expect(id > 0, "", name, "the kernel does not have it");
	if (id <= 0)
		return;
	k = btf__type_by_id(kernel, id);
	if (btf_is_enum(type))
		compare_enum(type, k);
	else
		compare_members(name, type, k);
}

static void compare_header(void)
{
	for (__u32 id = 1; id < btf__type_cnt(header); id++) {
		const struct btf_type *var = btf__type_by_id(header, id);

		if (btf_is_var(var) && starts_with(header_name(var->name_off), PREFIX))
			compare_item(header_name(var->name_off) + strlen(PREFIX),
				     resolve(header, var->type));
	}
}

/* What the kernel has for policies, but the header has not. */
static void look_for_more(void)
{
	for (__u32 id = 1; id < btf__type_cnt(kernel); id++) {
		const struct btf_type *type = btf__type_by_id(kernel, id);
		const char *name = kernel_name(type->name_off);
		char variable[128];

		if (!btf_is_enum(type) && !btf_is_func(type))
			continue;
		if (is_one_of(name, internal) ||
		    (!starts_with(name, "kvm_bpf_") && !starts_with(name, "bpf_iter_kvm_") &&
		     !(btf_is_enum(type) && (starts_with(name, "kvm_memattr_") ||
					     starts_with(name, "kvm_gmem_")))))
			continue;
		snprintf(variable, sizeof(variable), PREFIX "%s", name);
		expect(btf__find_by_name_kind(header, variable, BTF_KIND_VAR) > 0, "", name,
		       "only the kernel has it");
	}
}

int main(int argc, char **argv)
{
	if (argc < 3 || argc > 4)
		errx(2, "usage: contract OBJECT VMLINUX [KVM.KO]");
	header = btf__parse(argv[1], NULL);
	if (!header)
		err(2, "%s", argv[1]);
	kernel = btf__parse(argv[2], NULL);
	if (!kernel)
		err(2, "%s", argv[2]);
	if (argc == 4) {
		kernel = btf__parse_split(argv[3], kernel);
		if (!kernel)
			err(2, "%s", argv[3]);
	}
	compare_header();
	look_for_more();
	printf("compared %u, %u differ\n", compared, differences);
	return differences ? 1 : 0;
}
