// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "vm_files.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "kvm_core.h"
#include "vm_files.skel.h"
#include "vm_files_record.h"

#define FDINFO_MAX 4096

static int add(struct vm_files *files, const struct vm_file *file)
{
	struct vm_file *grown = files->files;

	/* Grow by doubling: a host has thousands of vCPUs. */
	if (!(files->count & (files->count - 1)))
		grown = reallocarray(grown, files->count ? 2 * files->count : 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	files->files = grown;
	grown[files->count++] = *file;
	return 0;
}

void vm_files_free(struct vm_files *files)
{
	free(files->files);
	*files = (struct vm_files){};
}

/* Tells by what /proc/<pid>/fd shows whether a descriptor is one of a VM. */
static bool is_of_vm(const char *target, enum vm_hold *hold)
{
	static const struct {
		const char *start;
		bool has_more;		/* a vCPU's number follows */
		enum vm_hold hold;
	} kinds[] = {
		{ "anon_inode:kvm-vm", false, VM_HELD_BY_VM },
		{ "anon_inode:kvm-vcpu:", true, VM_HELD_BY_VCPU },
		{ "anon_inode:kvm-vm-stats", false, VM_HELD_BY_STATS },
		{ "anon_inode:kvm-vcpu-stats:", true, VM_HELD_BY_STATS },
		{ "anon_inode:[kvm-gmem]", false, VM_HELD_BY_GMEM },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		size_t len = strlen(kinds[i].start);

		if (strncmp(target, kinds[i].start, len) || (target[len] && !kinds[i].has_more))
			continue;
		*hold = kinds[i].hold;
		return true;
	}
	return false;
}

uint64_t vm_file_id(pid_t pid, int fd)
{
	char file[32], text[FDINFO_MAX];
	const char *line;
	uint64_t id = 0;

	snprintf(file, sizeof(file), "fdinfo/%d", fd);
	process_read(pid, file, text, sizeof(text));
	line = strstr(text, "\nkvm_vm_id:");
	if (line)
		sscanf(line, " kvm_vm_id: %" SCNu64, &id);
	return id;
}

static int read_process(struct vm_files *files, pid_t pid)
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
		struct vm_file file = { .pid = pid };
		char target[64];
		ssize_t len;

		if (!process_parse_number(entry->d_name, &file.fd))
			continue;
		len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (len < 0 && errno == EACCES)
			ret = -errno;
		if (len <= 0)
			continue;
		target[len] = '\0';
		if (!is_of_vm(target, &file.hold))
			continue;
		if (file.hold <= VM_HELD_BY_VCPU)
			file.id = vm_file_id(pid, file.fd);
		ret = add(files, &file);
	}
	closedir(dir);
	return ret;
}

int vm_files_read(struct vm_files *files, pid_t pid)
{
	struct dirent *entry;
	int ret = 0;
	DIR *dir;

	*files = (struct vm_files){};
	dir = opendir("/proc");
	if (!dir)
		return -errno;
	if (pid)
		ret = read_process(files, pid);
	while (!ret && (entry = readdir(dir))) {
		int other;

		if (!process_parse_number(entry->d_name, &other) || other == pid)
			continue;
		ret = read_process(files, other);
		/* It is not a failure if a process ends meanwhile, or if we may not look at it. */
		if (ret != -ENOMEM)
			ret = 0;
	}
	closedir(dir);
	if (ret)
		vm_files_free(files);
	return ret;
}

static int compare_places(const void *a, const void *b)
{
	const struct vm_file *left = a, *right = b;

	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	return (left->fd > right->fd) - (left->fd < right->fd);
}

static void resolve(const struct vm_files *files, const struct vm_file_record *record)
{
	struct vm_file key = { .pid = record->pid, .fd = record->fd }, *file;

	if (!files->count)
		return;
	file = bsearch(&key, files->files, files->count, sizeof(key), compare_places);
	if (!file)
		return;
	file->kvm = record->kvm;
	file->is_vmm = record->is_vmm;
	file->creator_tid = record->creator_tid;
	memcpy(file->dir, record->dir, sizeof(file->dir));
}

/* Returns what the program writes, or NULL with errno. */
static FILE *open_list(struct vm_files_bpf *bpf)
{
	FILE *list;
	int fd;

	bpf->links.list_vm_files = bpf_program__attach_iter(bpf->progs.list_vm_files, NULL);
	if (!bpf->links.list_vm_files)
		return NULL;
	fd = bpf_iter_create(bpf_link__fd(bpf->links.list_vm_files));
	list = fd < 0 ? NULL : fdopen(fd, "r");
	if (!list && fd >= 0)
		close(fd);
	return list;
}

/* Nobody needs to know that this did not work, and why: vm_list says what follows from it. */
static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

/* Returns NULL with errno set if it cannot be had. */
static struct vm_files_bpf *open_bpf(void)
{
	struct vm_files_bpf *bpf = NULL;
	struct kvm_core core;
	int err = kvm_core_open(&core);

	if (!err)
		bpf = vm_files_bpf__open_opts(core.options);
	if (bpf)
		err = vm_files_bpf__load(bpf);
	kvm_core_close(&core);
	if (!err)
		return bpf;
	vm_files_bpf__destroy(bpf);
	errno = -err;
	return NULL;
}

int vm_files_resolve(struct vm_files *files)
{
	libbpf_print_fn_t print = libbpf_set_print(print_nothing);
	struct vm_files_bpf *bpf = open_bpf();
	FILE *list = bpf ? open_list(bpf) : NULL;
	struct vm_file_record record;
	int ret = list ? 0 : -errno;

	libbpf_set_print(print);
	if (list) {
		qsort(files->files, files->count, sizeof(*files->files), compare_places);
		while (fread(&record, sizeof(record), 1, list))
			resolve(files, &record);
		fclose(list);
	}
	vm_files_bpf__destroy(bpf);
	return ret;
}
