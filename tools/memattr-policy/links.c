// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "links.h"
#include "kvm_btf.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The members of a kvm_memattr_ops map's value that are read here, as the running kernel has them. */
struct ops_layout {
	uint32_t value_type_id;
	int vm_fd, name;		/* byte offsets in the value */
};

static int ops_layout_read(struct ops_layout *layout)
{
	const struct btf_type *value, *ops;
	struct kvm_btf kvm;
	int ret, id, data;

	ret = kvm_btf_load(&kvm);
	if (ret)
		return ret;
	ret = -EOPNOTSUPP;
	id = btf__find_by_name_kind(kvm.btf, MEMATTR_VALUE_TYPE, BTF_KIND_STRUCT);
	if (id < 0)
		goto out;
	layout->value_type_id = id;
	value = btf__type_by_id(kvm.btf, id);
	data = btf_member_offset(kvm.btf, value, "data");
	id = btf__find_by_name_kind(kvm.btf, "kvm_memattr_ops", BTF_KIND_STRUCT);
	if (id < 0 || data < 0)
		goto out;
	ops = btf__type_by_id(kvm.btf, id);
	layout->vm_fd = btf_member_offset(kvm.btf, ops, "vm_fd");
	layout->name = btf_member_offset(kvm.btf, ops, "name");
	if (layout->vm_fd < 0 || layout->name < 0)
		goto out;
	layout->vm_fd += data;
	layout->name += data;
	ret = 0;
out:
	kvm_btf_free(&kvm);
	return ret;
}

static int link_info(uint32_t id, struct bpf_link_info *info)
{
	uint32_t len = sizeof(*info);
	int fd, ret;

	fd = bpf_link_get_fd_by_id(id);
	if (fd < 0)
		return fd;
	memset(info, 0, sizeof(*info));
	ret = bpf_link_get_info_by_fd(fd, info, &len);
	close(fd);
	return ret;
}

/* Returns 1 if @link is filled in, 0 if the map is gone or of another struct_ops type, or -errno. */
static int link_of_map(struct policy_link *link, uint32_t map_id, const struct ops_layout *layout)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info), key = 0;
	char *value = NULL;
	int fd, ret = 0;
	int32_t vm_fd;

	fd = bpf_map_get_fd_by_id(map_id);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (bpf_map_get_info_by_fd(fd, &info, &len) ||
	    info.btf_vmlinux_value_type_id != layout->value_type_id)
		goto out;
	value = calloc(1, info.value_size);
	if (!value)
		ret = -ENOMEM;
	if (!value || bpf_map_lookup_elem(fd, &key, value))
		goto out;

	memcpy(&vm_fd, value + layout->vm_fd, sizeof(vm_fd));
	link->all = vm_fd < 0;
	link->map_id = map_id;
	value[layout->name + VM_POLICY_NAME_LEN - 1] = '\0';
	name_clean(link->name, sizeof(link->name), value + layout->name);
	ret = 1;
out:
	free(value);
	close(fd);
	return ret;
}

int policy_map_vm_fd(int map_fd, int *vm_fd)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info), key = 0;
	struct ops_layout layout = {};
	char *value;
	int ret;

	ret = ops_layout_read(&layout);
	if (!ret)
		ret = bpf_map_get_info_by_fd(map_fd, &info, &len);
	if (ret)
		return ret;
	value = calloc(1, info.value_size);
	if (!value)
		return -ENOMEM;
	ret = bpf_map_lookup_elem(map_fd, &key, value);
	if (!ret)
		memcpy(vm_fd, value + layout.vm_fd, sizeof(*vm_fd));
	free(value);
	return ret;
}

static int policy_links_add(struct policy_links *links, const struct policy_link *link)
{
	struct policy_link *grown = reallocarray(links->links, links->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	grown[links->count++] = *link;
	links->links = grown;
	return 0;
}

int policy_links_read(struct policy_links *links)
{
	struct ops_layout layout = {};
	bool have_layout = false;
	uint32_t id = 0;
	int ret = 0;

	*links = (struct policy_links){};
	while (!ret && !(ret = bpf_link_get_next_id(id, &id))) {
		struct policy_link link = { .id = id };
		struct bpf_link_info info;

		/* The link may be gone by now; a link that holds nothing has no map. */
		if (link_info(id, &info) || info.type != BPF_LINK_TYPE_STRUCT_OPS ||
		    !info.struct_ops.map_id)
			continue;
		/* Reading all of the kernel's types takes long: do it only if needed. */
		if (!have_layout)
			ret = ops_layout_read(&layout);
		have_layout = true;
		if (ret)
			break;
		ret = link_of_map(&link, info.struct_ops.map_id, &layout);
		if (ret > 0)
			ret = policy_links_add(links, &link);
	}
	if (ret == -ENOENT)
		return 0;
	policy_links_free(links);
	/* A kernel without the type has no policies. */
	return ret == -EOPNOTSUPP ? 0 : ret;
}

void policy_links_free(struct policy_links *links)
{
	free(links->links);
	*links = (struct policy_links){};
}

int policy_link_of_all(struct policy_link *link)
{
	struct policy_links links;
	int ret = policy_links_read(&links);

	if (ret)
		return ret;
	ret = -ENOENT;
	for (size_t i = 0; i < links.count; i++) {
		if (!links.links[i].all)
			continue;
		*link = links.links[i];
		ret = 0;
	}
	policy_links_free(&links);
	return ret;
}

int policy_link_read(int fd, struct policy_link *link)
{
	struct bpf_link_info info = {};
	struct bpf_map_info map = {};
	uint32_t len = sizeof(info);
	int map_fd, ret;

	*link = (struct policy_link){};
	ret = bpf_link_get_info_by_fd(fd, &info, &len);
	if (ret)
		return ret;
	link->id = info.id;
	link->map_id = info.struct_ops.map_id;
	if (!link->map_id)
		return -ENOLINK;
	/* A process that holds a link may lack the right to open maps by id. */
	map_fd = bpf_map_get_fd_by_id(link->map_id);
	if (map_fd < 0)
		return map_fd;
	len = sizeof(map);
	ret = bpf_map_get_info_by_fd(map_fd, &map, &len);
	name_clean(link->name, sizeof(link->name), map.name);
	close(map_fd);
	return ret;
}

int policy_link_detach(uint32_t id)
{
	int fd, ret;

	fd = bpf_link_get_fd_by_id(id);
	if (fd < 0)
		return fd;
	ret = bpf_link_detach(fd);
	close(fd);
	return ret;
}

void pin_path(const struct vm *vm, char *path, size_t size)
{
	if (vm)
		snprintf(path, size, PIN_DIR "/vm-%" PRIu64, vm->id);
	else
		snprintf(path, size, PIN_DIR "/all");
}

/* Calls @found for each pin with its link's info until @found returns true. */
static bool pins_walk(bool (*found)(const char *path, const struct bpf_link_info *info, void *arg),
		      void *arg)
{
	DIR *dir = opendir(PIN_DIR);
	struct dirent *entry;
	bool stop = false;

	if (!dir)
		return false;
	while (!stop && (entry = readdir(dir))) {
		struct bpf_link_info info = {};
		uint32_t len = sizeof(info);
		char path[PATH_MAX];
		int fd;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), PIN_DIR "/%s", entry->d_name);
		fd = bpf_obj_get(path);
		if (fd < 0)
			continue;
		if (!bpf_link_get_info_by_fd(fd, &info, &len))
			stop = found(path, &info, arg);
		close(fd);
	}
	closedir(dir);
	return stop;
}

struct pin_search {
	uint32_t id;
	char *path;
	size_t size;
};

static bool pin_matches(const char *path, const struct bpf_link_info *info, void *arg)
{
	struct pin_search *search = arg;

	if (info->id != search->id)
		return false;
	snprintf(search->path, search->size, "%s", path);
	return true;
}

bool pin_find(uint32_t id, char *path, size_t size)
{
	struct pin_search search = { .id = id, .path = path, .size = size };

	return pins_walk(pin_matches, &search);
}

static bool pin_remove_idle(const char *path, const struct bpf_link_info *info, void *arg)
{
	(void)arg;
	if (info->type == BPF_LINK_TYPE_STRUCT_OPS && !info->struct_ops.map_id)
		unlink(path);
	return false;
}

void pins_prune(void)
{
	pins_walk(pin_remove_idle, NULL);
}
