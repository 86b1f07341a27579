// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "vm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "process.h"
#include "vm_files.h"

#define VMM_GONE "(VMM gone)"

/* A VM's folder in debugfs. */
struct dir {
	char name[VM_DIR_LEN];
	uint64_t id;		/* of the VM; 0: the kernel gives none */
	pid_t tid, process;	/* the thread in its name, and the thread's process now; 0: none */
	int fd;
	bool taken;		/* by a VM of the list */
};

struct dirs {
	struct dir *dirs;
	size_t count;
	bool global_ids;	/* the threads' numbers mean the same here */
};

/* What a list is made of. */
struct sources {
	struct dirs dirs;
	struct vm_files files;
	bool resolved;		/* the kernel has told the VM of each descriptor */
	pid_t pid;		/* only VMs that it has a descriptor of; 0: all */
};

pid_t vm_process(pid_t tid)
{
	return process_of_thread(tid);
}

static uint64_t read_number(const char *folder, const char *name)
{
	unsigned long long value = 0;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), KVM_DEBUGFS "/%s/%s", folder, name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

static bool parse_dir(const char *name, struct dir *dir)
{
	char text[VM_DIR_LEN], *dash;

	if (strlen(name) >= sizeof(text))
		return false;
	strcpy(text, name);
	dash = strchr(text, '-');
	if (!dash)
		return false;
	*dash = '\0';
	strcpy(dir->name, name);
	return process_parse_number(text, &dir->tid) && process_parse_number(dash + 1, &dir->fd);
}

static int compare_dirs(const void *a, const void *b)
{
	const struct dir *left = a, *right = b;

	if (left->id != right->id)
		return left->id < right->id ? -1 : 1;
	return strcmp(left->name, right->name);
}

static int dirs_read(struct dirs *dirs)
{
	DIR *folder = opendir(KVM_DEBUGFS);
	struct dirent *entry;
	int ret = 0;

	dirs->global_ids = process_ids_are_global();
	/* Without debugfs there are still descriptors. */
	if (!folder)
		return 0;
	while (!ret && (entry = readdir(folder))) {
		struct dir dir = {}, *grown;

		if (!parse_dir(entry->d_name, &dir))
			continue;
		dir.id = read_number(dir.name, "vm_id");
		if (dirs->global_ids)
			dir.process = process_of_thread(dir.tid);
		grown = reallocarray(dirs->dirs, dirs->count + 1, sizeof(dir));
		if (!grown) {
			ret = -ENOMEM;
			break;
		}
		dirs->dirs = grown;
		grown[dirs->count++] = dir;
	}
	closedir(folder);
	if (dirs->count)
		qsort(dirs->dirs, dirs->count, sizeof(*dirs->dirs), compare_dirs);
	return ret;
}

static int compare_ids(const void *id, const void *dir)
{
	uint64_t left = *(const uint64_t *)id, right = ((const struct dir *)dir)->id;

	return (left > right) - (left < right);
}

/* Without numbers of VMs. If the kernel was not asked either, the folder's name is taken at its word. */
static bool is_in_dir(const struct vm_file *file, const struct dir *dir)
{
	if (file->kvm)
		return !strcmp(file->dir, dir->name);
	return file->hold == VM_HELD_BY_VM && file->pid == dir->process && file->fd == dir->fd;
}

/* Finds the folder of the VM with these descriptors. */
static struct dir *find_dir(struct dirs *dirs, const struct vm_file *files, size_t count,
			    uint64_t id)
{
	if (id && dirs->count)
		return bsearch(&id, dirs->dirs, dirs->count, sizeof(*dirs->dirs), compare_ids);
	/* An older kernel, whose folders cannot be told apart but by their names. */
	for (size_t i = 0; i < dirs->count; i++)
		for (size_t k = 0; k < count; k++) {
			struct dir *dir = &dirs->dirs[i];

			if (is_in_dir(&files[k], dir))
				return dir;
		}
	return NULL;
}

/* Whether this is a process that runs the VM, as far as it is known. */
static bool is_vmm(const struct vm_file *file, const struct dir *dir)
{
	return file->kvm ? file->is_vmm : dir && dir->process == file->pid;
}

/*
 * Whether the first descriptor is the one to name the VM by. Of several processes, the oldest is
 * the one that has not got it by a fork.
 */
static bool is_better(const struct vm_file *file, const struct vm_file *than, const struct dir *dir)
{
	if (file->hold != than->hold)
		return file->hold < than->hold;
	if (is_vmm(file, dir) != is_vmm(than, dir))
		return is_vmm(file, dir);
	if (file->pid != than->pid) {
		uint64_t start = process_start(file->pid), other = process_start(than->pid);

		return start != other ? start < other : file->pid < than->pid;
	}
	if (dir && (file->fd == dir->fd) != (than->fd == dir->fd))
		return file->fd == dir->fd;
	return file->fd < than->fd;
}

static int vm_list_add(struct vm_list *list, const struct vm *vm)
{
	struct vm *vms = reallocarray(list->vms, list->count + 1, sizeof(*vms));

	if (!vms)
		return -ENOMEM;
	vms[list->count++] = *vm;
	list->vms = vms;
	return 0;
}

static void take_dir(struct vm *vm, struct dir *dir)
{
	if (!dir)
		return;
	dir->taken = true;
	vm->id = dir->id;
	vm->creator_tid = dir->tid;
	memcpy(vm->dir, dir->name, sizeof(vm->dir));
}

static void set_name(struct vm *vm)
{
	size_t len;

	if (vm->hold == VM_HELD_BY_UNKNOWN) {
		snprintf(vm->name, sizeof(vm->name), vm->vmm_gone ? VMM_GONE : "?");
		return;
	}
	vm_name(vm->pid, vm->name, vm->vmm_gone ? VM_NAME_LEN - strlen(" " VMM_GONE) : VM_NAME_LEN);
	vm_comm(vm->pid, vm->comm, sizeof(vm->comm));
	vm_cgroup(vm->pid, vm->cgroup, sizeof(vm->cgroup));
	len = strlen(vm->name);
	if (vm->vmm_gone)
		snprintf(vm->name + len, sizeof(vm->name) - len, " " VMM_GONE);
}

/* Adds the VM with these descriptors. */
static int add_group(struct vm_list *list, struct sources *from, const struct vm_file *files,
		     size_t count)
{
	const struct vm_file *best = files;
	struct vm vm = { .group = files->group };
	bool wanted = !from->pid, any_vmm = false;
	struct dir *dir;

	for (size_t i = 0; i < count; i++)
		if (files[i].id)
			vm.id = files[i].id;
	dir = find_dir(&from->dirs, files, count, vm.id);
	for (size_t i = 0; i < count; i++) {
		wanted |= files[i].pid == from->pid;
		any_vmm |= is_vmm(&files[i], dir);
		if (is_better(&files[i], best, dir))
			best = &files[i];
	}
	vm.creator_tid = best->creator_tid;
	take_dir(&vm, dir);
	vm.pid = best->pid;
	vm.fd = best->fd;
	vm.hold = best->hold;
	vm.vmm_gone = !any_vmm && (from->resolved || vm.hold != VM_HELD_BY_VM);
	set_name(&vm);
	return wanted ? vm_list_add(list, &vm) : 0;
}

/* Adds the VMs that only debugfs shows. */
static int add_left_dirs(struct vm_list *list, struct dirs *dirs)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < dirs->count; i++) {
		struct vm vm = { .fd = -1, .hold = VM_HELD_BY_UNKNOWN };
		char path[64];

		snprintf(path, sizeof(path), KVM_DEBUGFS "/%s", dirs->dirs[i].name);
		/* Others have ended meanwhile. */
		if (dirs->dirs[i].taken || access(path, F_OK))
			continue;
		vm.vmm_gone = dirs->global_ids && !dirs->dirs[i].process;
		take_dir(&vm, &dirs->dirs[i]);
		set_name(&vm);
		ret = vm_list_add(list, &vm);
	}
	return ret;
}

/* What descriptors of one VM have in common; 0: not known. */
static uint64_t key_of(const struct vm_file *file)
{
	return file->kvm ?: file->id;
}

static int compare_keys(const void *a, const void *b)
{
	const struct vm_file *left = a, *right = b;

	if (key_of(left) != key_of(right))
		return key_of(left) < key_of(right) ? -1 : 1;
	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	return (left->fd > right->fd) - (left->fd < right->fd);
}

static size_t group_size(const struct vm_file *files, size_t left)
{
	size_t count = 1;

	while (key_of(files) && count < left && key_of(&files[count]) == key_of(files))
		count++;
	return count;
}

static int build(struct vm_list *list, struct sources *from)
{
	struct vm_file *files = from->files.files;
	size_t count = from->files.count, size;
	int ret = 0;

	for (size_t i = 0; i < from->dirs.count; i++)
		from->dirs.dirs[i].taken = false;
	if (count)
		qsort(files, count, sizeof(*files), compare_keys);
	for (size_t i = 0; !ret && i < count; i += size) {
		size = group_size(&files[i], count - i);
		for (size_t k = i; k < i + size; k++)
			files[k].group = i;
		/*
		 * It is closed by now, or nobody knows the VM of statistics and of a guest_memfd.
		 */
		if (from->resolved ? !files[i].kvm : !files[i].id && files[i].hold != VM_HELD_BY_VM)
			continue;
		ret = add_group(list, from, &files[i], size);
	}
	if (!ret && !from->pid)
		ret = add_left_dirs(list, &from->dirs);
	return ret;
}

static bool is_odd(const struct vm *vm, const struct dirs *dirs)
{
	if (!vm->id || vm->hold != VM_HELD_BY_VM)
		return true;
	return dirs->global_ids && vm->creator_tid &&
	       process_of_thread(vm->creator_tid) != vm->pid;
}

/* Whether only the kernel knows who has one of the VMs, or what a descriptor is of. */
static bool need_to_resolve(const struct vm_list *list, const struct sources *from)
{
	/* Without a number, statistics and guest_memfds of a VM are not in the list. */
	if (from->pid && !list->count && from->files.count)
		return true;
	for (size_t i = 0; i < list->count; i++)
		if (is_odd(&list->vms[i], &from->dirs))
			return true;
	return false;
}

/* Says what the list may be wrong about. */
static void explain(struct vm_list *list, const struct sources *from)
{
	bool numbered = true;

	for (size_t i = 0; i < list->count; i++)
		numbered &= list->vms[i].id != 0;
	if (!from->dirs.global_ids) {
		list->cause = PROCESS_IDS_CAUSE;
		list->next = PROCESS_IDS_NEXT;
	} else if (!numbered && !from->resolved) {
		list->cause = "this kernel's KVM does not number its VMs, and a BPF program that asks it cannot be loaded: "
			      "a VM with several descriptors can be listed several times";
		list->next = "run it as root, on a kernel with BTF";
	}
}

static int copy_places(struct vm_list *list, const struct vm_files *files)
{
	list->places = calloc(files->count + 1, sizeof(*list->places));
	if (!list->places)
		return -ENOMEM;
	for (size_t i = 0; i < files->count; i++)
		list->places[i] = (struct vm_place){ files->files[i].pid, files->files[i].fd,
						     files->files[i].group };
	list->place_count = files->count;
	return 0;
}

static int compare_vms(const void *a, const void *b)
{
	const struct vm *left = a, *right = b;

	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	return (left->fd > right->fd) - (left->fd < right->fd);
}

static int read_list(struct vm_list *list, struct sources *from)
{
	int ret;

	ret = build(list, from);
	if (!ret && from->dirs.global_ids && need_to_resolve(list, from)) {
		from->resolved = !vm_files_resolve(&from->files);
		vm_list_free(list);
		ret = build(list, from);
	}
	if (!ret)
		ret = copy_places(list, &from->files);
	if (ret)
		return ret;
	if (list->count)
		qsort(list->vms, list->count, sizeof(*list->vms), compare_vms);
	explain(list, from);
	return 0;
}

int vm_list_read(struct vm_list *list, pid_t pid)
{
	struct sources from = {};
	int ret;

	*list = (struct vm_list){};
	/* A thread's number stands for its process. */
	from.pid = pid ? process_of_thread(pid) ?: pid : 0;
	ret = dirs_read(&from.dirs);
	if (!ret)
		ret = vm_files_read(&from.files, from.pid);
	if (!ret)
		ret = read_list(list, &from);
	if (ret)
		vm_list_free(list);
	vm_files_free(&from.files);
	free(from.dirs.dirs);
	return ret;
}

void vm_list_free(struct vm_list *list)
{
	free(list->places);
	free(list->vms);
	*list = (struct vm_list){};
}

const struct vm *vm_list_find(const struct vm_list *list, pid_t pid, int fd)
{
	for (size_t i = 0; i < list->place_count; i++) {
		if (list->places[i].pid != pid || list->places[i].fd != fd)
			continue;
		for (size_t k = 0; k < list->count; k++)
			if (list->vms[k].hold != VM_HELD_BY_UNKNOWN &&
			    list->vms[k].group == list->places[i].group)
				return &list->vms[k];
	}
	return NULL;
}

void vm_of_event(struct vm *vm, pid_t pid, const char *dir, const char *comm)
{
	char text[VM_COMM_LEN + 1] = "";
	struct dir parsed = {};

	*vm = (struct vm){ .pid = pid, .fd = -1, .name = "?" };
	if (parse_dir(dir, &parsed)) {
		vm->creator_tid = parsed.tid;
		vm->fd = parsed.fd;
		memcpy(vm->dir, parsed.name, sizeof(vm->dir));
	}
	/* Elsewhere the number is another process's. */
	if (process_ids_are_global()) {
		vm->pid = process_of_thread(pid) ?: pid;
		vm_name(vm->pid, vm->name, sizeof(vm->name));
		vm_comm(vm->pid, vm->comm, sizeof(vm->comm));
		vm_cgroup(vm->pid, vm->cgroup, sizeof(vm->cgroup));
	}
	memcpy(text, comm, VM_COMM_LEN);
	if (!strcmp(vm->name, "?") && text[0])
		name_clean(vm->name, sizeof(vm->name), text);
	if (!vm->comm[0])
		name_clean(vm->comm, sizeof(vm->comm), text);
}

const char *vm_hold_text(const struct vm *vm, char *text, size_t size)
{
	static const char *const holds[] = {
		[VM_HELD_BY_VM] = "the VM's descriptor",
		[VM_HELD_BY_VCPU] = "a vCPU's descriptor",
		[VM_HELD_BY_STATS] = "a descriptor of its statistics",
		[VM_HELD_BY_GMEM] = "a guest_memfd",
	};

	*text = '\0';
	if (vm->hold == VM_HELD_BY_UNKNOWN)
		snprintf(text, size, "%sno process that can be looked at has a descriptor of it",
			 vm->vmm_gone ? "it outlives its VMM: " : "");
	else if (vm->vmm_gone)
		snprintf(text, size, "it outlives its VMM: process %d has %s, %d", vm->pid,
			 holds[vm->hold], vm->fd);
	else if (vm->hold != VM_HELD_BY_VM)
		snprintf(text, size, "process %d has no more than %s, %d", vm->pid, holds[vm->hold],
			 vm->fd);
	return text;
}

int vm_open(const struct vm *vm)
{
	int pidfd, fd;

	if (vm->hold != VM_HELD_BY_VM)
		return -EBADF;
	pidfd = pidfd_open(vm->pid, 0);
	if (pidfd < 0)
		return -errno;
	fd = pidfd_getfd(pidfd, vm->fd, 0);
	if (fd < 0)
		fd = errno == EBADF ? -ESRCH : -errno;
	close(pidfd);
	/* The number may be another descriptor's by now, and the process's another process's. */
	if (fd >= 0 && vm->id && vm_file_id(getpid(), fd) != vm->id) {
		close(fd);
		return -ESRCH;
	}
	return fd;
}
