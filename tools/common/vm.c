// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "vm.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define VM_FD_LINK "anon_inode:kvm-vm"

/* QEMU started by libvirt has command lines of some 10 KiB; -name stands near the start. */
#define CMDLINE_MAX 65536

static int vm_list_add(struct vm_list *list, const struct vm *vm)
{
	struct vm *vms = reallocarray(list->vms, list->count + 1, sizeof(*vms));

	if (!vms)
		return -ENOMEM;
	vms[list->count++] = *vm;
	list->vms = vms;
	return 0;
}

static int vm_compare(const void *a, const void *b)
{
	const struct vm *left = a, *right = b;

	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	return (left->fd > right->fd) - (left->fd < right->fd);
}

void vm_list_free(struct vm_list *list)
{
	free(list->vms);
	*list = (struct vm_list){};
}

static bool parse_number(const char *text, int *number)
{
	char *end;
	long value;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	value = strtol(text, &end, 10);
	if (*end || errno || value > INT32_MAX)
		return false;
	*number = value;
	return true;
}

/* /proc/<tid> exists for threads too, although a listing of /proc shows processes only. */
pid_t vm_process(pid_t tid)
{
	char path[64], line[256];
	int tgid = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	status = fopen(path, "re");
	if (!status)
		return 0;
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	fclose(status);
	return tgid;
}

static bool is_name_option(const char *arg)
{
	return !strcmp(arg, "-name") || !strcmp(arg, "--name");
}

/* QEMU: "-name web", "-name guest=web,debug-threads=on". Others: "--name web", "--name=web". */
static const char *name_option(char *cmdline, size_t len)
{
	for (char *arg = cmdline; arg < cmdline + len; arg += strlen(arg) + 1) {
		char *name = arg + strlen(arg) + 1;

		if (!strncmp(arg, "--name=", 7))
			name = arg + 7;
		else if (!is_name_option(arg) || name >= cmdline + len)
			continue;
		if (!strncmp(name, "guest=", 6))
			name += 6;
		name[strcspn(name, ",")] = '\0';
		return name;
	}
	return NULL;
}

static size_t read_proc(pid_t pid, const char *file, char *buf, size_t size)
{
	char path[64];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "re");
	if (!f)
		return 0;
	len = fread(buf, 1, size - 1, f);
	fclose(f);
	buf[len] = '\0';
	return len;
}

void vm_name(pid_t pid, char *name, size_t size)
{
	char *cmdline = malloc(CMDLINE_MAX);
	const char *found = NULL;
	size_t len;

	if (cmdline) {
		len = read_proc(pid, "cmdline", cmdline, CMDLINE_MAX);
		found = name_option(cmdline, len);
		if (!found && read_proc(pid, "comm", cmdline, CMDLINE_MAX)) {
			cmdline[strcspn(cmdline, "\n")] = '\0';
			found = cmdline;
		}
	}
	snprintf(name, size, "%s", found && *found ? found : "?");
	free(cmdline);

	/* A process chooses its own command line: let no control character reach a terminal. */
	for (char *c = name; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
}

static int add_from_debugfs(struct vm_list *list, pid_t pid)
{
	DIR *dir = opendir(KVM_DEBUGFS);
	struct dirent *entry;
	int ret = 0;

	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir))) {
		char *dash = strchr(entry->d_name, '-');
		struct vm vm = {};

		if (!dash)
			continue;
		*dash = '\0';
		if (!parse_number(entry->d_name, &vm.creator_tid) ||
		    !parse_number(dash + 1, &vm.fd))
			continue;
		/*
		 * A VM can outlive the thread that created it; then only the thread's number is
		 * known.
		 */
		vm.pid = vm_process(vm.creator_tid) ?: vm.creator_tid;
		if (!pid || vm.pid == pid)
			ret = vm_list_add(list, &vm);
	}
	closedir(dir);
	return ret;
}

static bool vm_list_has(const struct vm_list *list, pid_t pid, int fd)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->vms[i].pid == pid && list->vms[i].fd == fd)
			return true;
	return false;
}

static int add_from_process(struct vm_list *list, pid_t pid)
{
	struct dirent *entry;
	char path[64];
	int ret = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir))) {
		char target[sizeof(VM_FD_LINK) + 1];
		struct vm vm = { .pid = pid };
		ssize_t len;

		if (!parse_number(entry->d_name, &vm.fd))
			continue;
		len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));
		if (len < 0 && errno == EACCES)
			ret = -errno;
		if (len != sizeof(VM_FD_LINK) - 1 || memcmp(target, VM_FD_LINK, len))
			continue;
		if (!vm_list_has(list, pid, vm.fd))
			ret = vm_list_add(list, &vm);
	}
	closedir(dir);
	return ret;
}

static int add_from_all_processes(struct vm_list *list)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int ret = 0;

	if (!dir)
		return -errno;
	while (ret != -ENOMEM && (entry = readdir(dir))) {
		int pid;

		/* It is not a failure if a process ends meanwhile, or if we may not look at it. */
		if (parse_number(entry->d_name, &pid))
			ret = add_from_process(list, pid);
	}
	closedir(dir);
	return ret == -ENOMEM ? ret : 0;
}

int vm_list_read(struct vm_list *list, pid_t pid)
{
	int ret;

	*list = (struct vm_list){};
	/* A thread's number stands for its process. */
	if (pid)
		pid = vm_process(pid) ?: pid;
	ret = add_from_debugfs(list, pid);
	if (ret != -ENOMEM)
		ret = pid ? add_from_process(list, pid) : add_from_all_processes(list);
	if (ret) {
		vm_list_free(list);
		return ret;
	}

	for (size_t i = 0; i < list->count; i++)
		vm_name(list->vms[i].pid, list->vms[i].name, sizeof(list->vms[i].name));
	if (list->count)
		qsort(list->vms, list->count, sizeof(*list->vms), vm_compare);
	return 0;
}

int vm_open(const struct vm *vm)
{
	int pidfd, fd;

	pidfd = pidfd_open(vm->pid, 0);
	if (pidfd < 0)
		return -errno;
	fd = pidfd_getfd(pidfd, vm->fd, 0);
	if (fd < 0)
		fd = -errno;
	close(pidfd);
	return fd;
}

static void copy_value(char *to, size_t size, const char *value)
{
	snprintf(to, size, "%s", value);
}

static void vm_policy_line(struct vm_policy *p, const char *key, const char *value)
{
	if (!strcmp(key, "policy"))
		copy_value(p->policy, sizeof(p->policy), strcmp(value, "none") ? value : "");
	else if (!strcmp(key, "scope"))
		p->all = !strcmp(value, "all");
	else if (!strcmp(key, "link_id"))
		p->link_id = strtoul(value, NULL, 10);
	else if (!strcmp(key, "budget_us"))
		p->budget_us = strtoul(value, NULL, 10);
	else if (!strcmp(key, "exit_policy"))
		copy_value(p->exit_policy, sizeof(p->exit_policy), value);
	else if (!strcmp(key, "exit_kind"))
		copy_value(p->exit_kind, sizeof(p->exit_kind), value);
	else if (!strcmp(key, "exit_code"))
		p->exit_code = strtoll(value, NULL, 10);
	else if (!strcmp(key, "exit_text"))
		copy_value(p->exit_text, sizeof(p->exit_text), value);
}

/* Reads one of the VM's statistics, each of which has a file. Returns 0 if there is no such file. */
static uint64_t read_stat(const char *folder, const char *name)
{
	unsigned long long value = 0;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/memattr_%s", folder, name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

int vm_policy_read(const struct vm *vm, struct vm_policy *policy)
{
	char folder[64], path[96], line[256];
	FILE *f;

	*policy = (struct vm_policy){};
	snprintf(folder, sizeof(folder), KVM_DEBUGFS "/%d-%d", vm->creator_tid, vm->fd);
	snprintf(path, sizeof(path), "%s/memattr_policy", folder);
	f = fopen(path, "re");
	if (!f && errno == ENOENT)
		return access(folder, F_OK) ? -ENOENT : -EOPNOTSUPP;
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		char *value = strstr(line, ": ");

		if (!value)
			continue;
		*value = '\0';
		value += 2;
		value[strcspn(value, "\n")] = '\0';
		vm_policy_line(policy, line, value);
	}
	fclose(f);
	policy->calls = read_stat(folder, "policy_calls");
	policy->ns = read_stat(folder, "policy_ns");
	policy->refused = read_stat(folder, "refused");
	policy->host_refused = read_stat(folder, "host_refused");
	policy->widened_pages = read_stat(folder, "widened_pages");
	policy->ejections = read_stat(folder, "ejections");
	return 0;
}
