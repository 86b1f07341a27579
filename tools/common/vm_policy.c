// SPDX-License-Identifier: GPL-2.0
/* A VM's policy and why the last one left, as debugfs or fdinfo tells it. */
#define _GNU_SOURCE
#include "vm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

#define TEXT_MAX 4096

/*
 * Returns the value of "key: value" in a line of its own, or NULL; the value goes on to the end of
 * the line.
 */
static const char *find_value(const char *text, const char *key)
{
	size_t len = strlen(key);

	while (text && *text) {
		if (!strncmp(text, key, len) && text[len] == ':')
			return text + len + 1 + strspn(text + len + 1, " \t");
		text = strchr(text, '\n');
		text += text ? 1 : 0;
	}
	return NULL;
}

struct source {
	const char *text;
	const char *prefix;	/* of keys */
};

static const char *value_of(const struct source *from, const char *key)
{
	char full[64];

	snprintf(full, sizeof(full), "%s%s", from->prefix, key);
	return find_value(from->text, full);
}

static void copy(const struct source *from, const char *key, char *to, size_t size)
{
	const char *value = value_of(from, key);
	char line[TEXT_MAX];

	snprintf(line, sizeof(line), "%s", value ?: "");
	line[strcspn(line, "\n")] = '\0';
	name_clean(to, size, line);
}

static uint64_t number(const struct source *from, const char *key)
{
	const char *value = value_of(from, key);

	return value ? strtoull(value, NULL, 10) : 0;
}

/*
 * Only the last line, the text, can have a process's comm in it, and with it a line of somebody
 * else.
 */
void vm_policy_parse(struct vm_policy *policy, const char *text, const char *prefix)
{
	struct source from = { text, prefix };
	char scope[16];

	*policy = (struct vm_policy){};
	policy->link_id = number(&from, "link_id");
	/* A policy can be called "none". */
	if (policy->link_id)
		copy(&from, "policy", policy->policy, sizeof(policy->policy));
	copy(&from, "scope", scope, sizeof(scope));
	policy->all = !strcmp(scope, "all");
	policy->budget_us = number(&from, "budget_us");
	copy(&from, "exit_policy", policy->exit_policy, sizeof(policy->exit_policy));
	copy(&from, "exit_kind", policy->exit_kind, sizeof(policy->exit_kind));
	policy->exit_code = (int64_t)number(&from, "exit_code");
	copy(&from, "exit_text", policy->exit_text, sizeof(policy->exit_text));
}

/* Returns 0, or -ENOENT if the VM has no such file, or another -errno. */
static int read_file(const struct vm *vm, const char *name, char *text, size_t size)
{
	char path[128];
	size_t len;
	FILE *f;

	*text = '\0';
	snprintf(path, sizeof(path), KVM_DEBUGFS "/%s/%s", vm->dir, name);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	len = fread(text, 1, size - 1, f);
	text[len] = '\0';
	fclose(f);
	return 0;
}

/* Whether the folder is still this VM's, and not that of another one by the same name. */
static bool has_folder(const struct vm *vm)
{
	char text[32];

	if (!vm->dir[0])
		return false;
	if (!vm->id)
		return true;
	return !read_file(vm, "vm_id", text, sizeof(text)) && strtoull(text, NULL, 10) == vm->id;
}

/* One of the VM's statistics, each of which has a file. Returns 0 if there is no such file. */
static uint64_t read_stat(const struct vm *vm, const char *name)
{
	char file[64], text[32] = "";

	snprintf(file, sizeof(file), "memattr_%s", name);
	read_file(vm, file, text, sizeof(text));
	return strtoull(text, NULL, 10);
}

static int read_debugfs(const struct vm *vm, struct vm_policy *policy)
{
	char text[TEXT_MAX], folder[64];
	int ret;

	ret = read_file(vm, "memattr_policy", text, sizeof(text));
	if (ret == -ENOENT) {
		snprintf(folder, sizeof(folder), KVM_DEBUGFS "/%s", vm->dir);
		return access(folder, F_OK) ? -ENOENT : -EOPNOTSUPP;
	}
	if (ret)
		return ret;
	vm_policy_parse(policy, text, "");
	policy->counted = true;
	policy->calls = read_stat(vm, "policy_calls");
	policy->ns = read_stat(vm, "policy_ns");
	policy->refused = read_stat(vm, "refused");
	policy->host_refused = read_stat(vm, "host_refused");
	policy->widened_pages = read_stat(vm, "widened_pages");
	policy->ejections = read_stat(vm, "ejections");
	return 0;
}

static int read_fdinfo(const struct vm *vm, struct vm_policy *policy)
{
	char text[TEXT_MAX], file[32];
	const char *id;

	if (vm->hold > VM_HELD_BY_VCPU)
		return -ENODATA;
	snprintf(file, sizeof(file), "fdinfo/%d", vm->fd);
	process_read(vm->pid, file, text, sizeof(text));
	id = find_value(text, "kvm_vm_id");
	if (!id || strtoull(id, NULL, 10) != vm->id)
		return vm->id ? -ENOENT : -EOPNOTSUPP;
	if (!find_value(text, "memattr_policy"))
		return -EOPNOTSUPP;
	vm_policy_parse(policy, text, "memattr_");
	return 0;
}

int vm_policy_read(const struct vm *vm, struct vm_policy *policy)
{
	*policy = (struct vm_policy){};
	return has_folder(vm) ? read_debugfs(vm, policy) : read_fdinfo(vm, policy);
}
