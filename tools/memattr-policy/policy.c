// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "policy.h"
#include "kvm_btf.h"
#include "vm.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPS_TYPE "kvm_memattr_ops"
#define SUFFIX ".bpf.o"

/* The verifier says what is wrong at the end of its log. */
#define LOG_LINES 12

/* Where make puts this program, and the policies beside it. */
#define BUILT_PROGRAM "/build/bin/memattr-policy"
#define BUILT_POLICIES "/build/bpf"

/*
 * A bare name is looked up in one directory: a checkout's program takes the policies that were
 * built with it, and an installed one those that were installed. It is not the working directory of
 * whoever runs this as root.
 */
static const char *policy_dir(void)
{
	static char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *end;

	path[len > 0 ? len : 0] = '\0';
	end = path + strlen(path) - strlen(BUILT_PROGRAM);
	if (end < path || strcmp(end, BUILT_PROGRAM))
		return POLICY_DIR;
	strcpy(end, BUILT_POLICIES);
	return path;
}

static void print_known_policies(const char *dir)
{
	char pattern[PATH_MAX + 16];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/*" SUFFIX, dir);
	if (glob(pattern, 0, NULL, &found))
		return;
	for (size_t k = 0; k < found.gl_pathc; k++) {
		const char *name = basename(found.gl_pathv[k]);

		fprintf(stderr, "  %.*s\n", (int)(strlen(name) - strlen(SUFFIX)), name);
	}
	globfree(&found);
}

static int find_file(const char *file, char *path, size_t size)
{
	const char *dir = policy_dir();

	if (strchr(file, '/')) {
		snprintf(path, size, "%s", file);
		if (access(path, R_OK))
			return diag_fail(EXIT_NO_POLICY, "another path, or the bare name of an installed policy",
					 "cannot read %s: %s", path, strerror(errno));
		return EXIT_OK;
	}

	snprintf(path, size, "%s/%s" SUFFIX, dir, file);
	if (!access(path, R_OK))
		return EXIT_OK;
	diag_fail(EXIT_NO_POLICY, "one of these, or the path of a policy's " SUFFIX " file, which has a slash",
		  "there is no policy '%s' in %s", file, dir);
	print_known_policies(dir);
	return EXIT_NO_POLICY;
}

static const struct btf_type *map_type(const struct policy *policy, const struct bpf_map *map)
{
	return btf__type_by_id(bpf_object__btf(policy->obj), bpf_map__btf_value_type_id(map));
}

static bool is_ops_map(const struct policy *policy, const struct bpf_map *map)
{
	const struct btf_type *type;

	if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS)
		return false;
	type = map_type(policy, map);
	return type && !strcmp(btf__name_by_offset(bpf_object__btf(policy->obj), type->name_off),
			       OPS_TYPE);
}

/* libbpf keeps the programs of callbacks where the kernel will have their addresses. */
bool policy_has_callback(const struct policy *policy, const char *name)
{
	int offset = btf_member_offset(bpf_object__btf(policy->obj), map_type(policy, policy->ops), name);
	const struct bpf_program *program = NULL;
	size_t size;
	const char *ops = bpf_map__initial_value(policy->ops, &size);

	if (offset >= 0 && ops && offset + sizeof(program) <= size)
		memcpy(&program, ops + offset, sizeof(program));
	return program;
}

/* The kernel and the tools write these where there is no policy. */
static bool means_no_policy(const char *name)
{
	return !*name || !strcmp(name, "none") || !strcmp(name, "-") || !strcasecmp(name, "n/a");
}

/*
 * The name in the kernel's messages is a member of the policy, which MEMATTR_OPS sets to the map's
 * name.
 */
static int check_name(const struct policy *policy, const char *path)
{
	int offset = btf_member_offset(bpf_object__btf(policy->obj),
				       map_type(policy, policy->ops), "name");
	char name[VM_POLICY_NAME_LEN] = "";
	size_t size;
	const char *ops = bpf_map__initial_value(policy->ops, &size);

	if (offset >= 0 && ops && offset + sizeof(name) <= size)
		memcpy(name, ops + offset, sizeof(name) - 1);
	if (!means_no_policy(name) && !means_no_policy(policy->name))
		return EXIT_OK;
	return diag_fail(EXIT_NO_POLICY, "another name in its MEMATTR_OPS",
			 "%s: a policy called '%s' would look like no policy", path, name);
}

static int find_ops(struct policy *policy, const char *path)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, policy->obj) {
		if (!is_ops_map(policy, map))
			continue;
		if (policy->ops)
			return diag_fail(EXIT_NO_POLICY, "put each into a file of its own",
					 "%s has more than one policy: %s and %s", path,
					 policy->name, bpf_map__name(map));
		policy->ops = map;
		policy->name = bpf_map__name(map);
	}
	if (!policy->ops)
		return diag_fail(EXIT_NO_POLICY, "define one with MEMATTR_OPS, as in template.bpf.c",
				 "%s is not a policy: it has no struct " OPS_TYPE, path);
	if (!(bpf_map__map_flags(policy->ops) & BPF_F_LINK))
		return diag_fail(EXIT_NO_POLICY, "define it with MEMATTR_OPS, as in template.bpf.c",
				 "%s: %s must be in the section .struct_ops.link", path,
				 policy->name);
	return check_name(policy, path);
}

int policy_open(struct policy *policy, const char *file)
{
	char path[PATH_MAX];
	int ret;

	*policy = (struct policy){};
	ret = find_file(file, path, sizeof(path));
	if (ret)
		return ret;

	policy->core_err = kvm_core_open(&policy->core);
	policy->obj = bpf_object__open_file(path, policy->core.options);
	if (!policy->obj) {
		char text[128];

		libbpf_strerror(-errno, text, sizeof(text));
		policy_close(policy);
		return diag_fail(EXIT_NO_POLICY, "compile it as 'make policies' does",
				 "%s is not a policy: %s", path, text);
	}
	ret = find_ops(policy, path);
	if (ret)
		policy_close(policy);
	return ret;
}

void policy_close(struct policy *policy)
{
	bpf_object__close(policy->obj);
	kvm_core_close(&policy->core);
	*policy = (struct policy){};
}

int policy_set_member(struct policy *policy, const char *name, uint32_t value)
{
	int offset = btf_member_offset(bpf_object__btf(policy->obj),
				       map_type(policy, policy->ops), name);
	size_t size;
	char *ops = bpf_map__initial_value(policy->ops, &size);

	if (offset < 0 || !ops || offset + sizeof(value) > size)
		return diag_fail(EXIT_NO_POLICY, "compile it with memattr.bpf.h",
				 "policy %s: its " OPS_TYPE " has no %s", policy->name, name);
	memcpy(ops + offset, &value, sizeof(value));
	return EXIT_OK;
}

/* Whatever libbpf said, the first of these that is missing is the cause. */
static bool system_lacks_something(int err, struct diag *why)
{
	if (!diag_has(DIAG_BPF_RIGHTS, why) || !diag_has(DIAG_MEMATTR, why) ||
	    diag_is_locked_down(why))
		return true;
	/*
	 * Without CAP_SYS_ADMIN libbpf does not see the types of modules, and reports that there
	 * are none.
	 */
	return err == -ESRCH && !diag_has(DIAG_ADMIN_RIGHTS, why);
}

int policy_load(struct policy *policy, bool verbose)
{
	int err = policy->core_err ?: bpf_object__load(policy->obj);
	struct diag why;

	kvm_core_close(&policy->core);
	if (!err)
		return EXIT_OK;
	if (system_lacks_something(err, &why))
		return diag_print(&why, EXIT_SYSTEM);

	diag_bpf_load(&why, err);
	if (!verbose)
		fputs(diag_libbpf_tail(LOG_LINES), stderr);
	return diag_print(&why, EXIT_NO_POLICY);
}

/* Copies a member from the layout of the policy's file to its place in the kernel's layout. */
static void store_member(const struct policy *policy, const struct btf_member *member, char *to)
{
	const struct btf *btf = bpf_object__btf(policy->obj);
	const char *from = bpf_map__initial_value(policy->ops, NULL);
	struct bpf_program *program;

	from += member->offset / 8;
	if (!btf_is_ptr(btf__type_by_id(btf, member->type))) {
		memcpy(to, from, btf__resolve_size(btf, member->type));
		return;
	}
	/* For a callback, libbpf has the program here, and the kernel expects its descriptor. */
	memcpy(&program, from, sizeof(program));
	if (program)
		*(uint64_t *)to = bpf_program__fd(program);
}

int policy_store_ops(const struct policy *policy)
{
	const struct btf *btf = bpf_object__btf(policy->obj);
	const struct btf_type *file_ops = map_type(policy, policy->ops), *kernel_ops, *value;
	uint32_t len, key = 0, fd = bpf_map__fd(policy->ops);
	struct bpf_map_info info = {};
	char *kernel_value = NULL;
	struct kvm_btf kvm;
	int err, data;

	len = sizeof(info);
	err = bpf_map_get_info_by_fd(fd, &info, &len);
	if (!err)
		err = kvm_btf_load(&kvm);
	if (err)
		goto out;

	/* The policy could be loaded, so these types exist and are large enough. */
	value = btf__type_by_id(kvm.btf, info.btf_vmlinux_value_type_id);
	data = btf_member_offset(kvm.btf, value, "data");
	kernel_ops = btf__type_by_id(kvm.btf, btf__find_by_name_kind(kvm.btf, OPS_TYPE,
								     BTF_KIND_STRUCT));
	kernel_value = calloc(1, info.value_size);
	if (!kernel_value)
		err = -ENOMEM;
	for (int i = 0; !err && i < btf_vlen(file_ops); i++) {
		const struct btf_member *member = &btf_members(file_ops)[i];
		const char *name = btf__name_by_offset(btf, member->name_off);
		int offset = btf_member_offset(kvm.btf, kernel_ops, name);

		if (offset >= 0)
			store_member(policy, member, kernel_value + data + offset);
	}
	if (!err)
		err = bpf_map_update_elem(fd, &key, kernel_value, 0);
	free(kernel_value);
	kvm_btf_free(&kvm);
out:
	if (err)
		return diag_fail(EXIT_FAILED, NULL, "%s: cannot pass it to the kernel: %s",
				 policy->name, strerror(-err));
	return EXIT_OK;
}
