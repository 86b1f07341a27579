// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "hook.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Only the kernel knows the ids of modules' BTF: search for the one named kvm. */
static int kvm_btf_fd(void)
{
	__u32 id = 0;

	while (!bpf_btf_get_next_id(id, &id)) {
		char name[64] = "";
		struct bpf_btf_info info = {
			.name = (uintptr_t)name,
			.name_len = sizeof(name),
		};
		__u32 len = sizeof(info);
		int fd = bpf_btf_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (!bpf_btf_get_info_by_fd(fd, &info, &len) && !strcmp(name, "kvm"))
			return fd;
		close(fd);
	}
	return -errno;
}

int hook_prober_open(struct hook_prober *prober)
{
	int err;

	prober->module_fd = -1;
	err = kvm_btf_load(&prober->kvm);
	if (err || prober->kvm.btf == prober->kvm.vmlinux)
		return err;
	prober->module_fd = kvm_btf_fd();
	if (prober->module_fd >= 0)
		return 0;
	err = prober->module_fd;
	kvm_btf_free(&prober->kvm);
	return err;
}

void hook_prober_close(struct hook_prober *prober)
{
	if (prober->module_fd >= 0)
		close(prober->module_fd);
	kvm_btf_free(&prober->kvm);
}

/* Returns the id of the type to attach to; it is negative if there is none. */
static int hook_type(const struct hook_prober *prober, const struct hook_site *site)
{
	bool event = site->type == HOOK_TP_BTF;
	char name[64];

	snprintf(name, sizeof(name), "%s%s", event ? "btf_trace_" : "", site->target);
	return btf__find_by_name_kind(prober->kvm.btf, name,
				      event ? BTF_KIND_TYPEDEF : BTF_KIND_FUNC);
}

/* With ftrace off, functions can be hooked, but the hooks are never called. */
static bool ftrace_is_off(void)
{
	FILE *file = fopen("/proc/sys/kernel/ftrace_enabled", "re");
	int enabled = 1;

	if (!file)
		return false;
	if (fscanf(file, "%d", &enabled) != 1)
		enabled = 1;
	fclose(file);
	return !enabled;
}

bool hook_exists(const struct hook_prober *prober, const struct hook_site *site)
{
	return hook_type(prober, site) >= 0;
}

int hook_probe(const struct hook_prober *prober, const struct hook_site *site)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	static const enum bpf_attach_type attach_types[] = {
		[HOOK_TP_BTF] = BPF_TRACE_RAW_TP,
		[HOOK_FENTRY] = BPF_TRACE_FENTRY,
		[HOOK_FEXIT] = BPF_TRACE_FEXIT,
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	int id = hook_type(prober, site), program, link;

	if (id < 0)
		return -ENOENT;
	if (site->type != HOOK_TP_BTF && ftrace_is_off())
		return -ENODEV;
	opts.expected_attach_type = attach_types[site->type];
	opts.attach_btf_id = id;
	/* Ids of a module's types come after those of vmlinux. */
	if (id >= (int)btf__type_cnt(prober->kvm.vmlinux))
		opts.attach_btf_obj_fd = prober->module_fd;
	program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "memattr_probe", "GPL", nothing, 2, &opts);
	if (program < 0)
		return program;
	link = bpf_raw_tracepoint_open(NULL, program);
	close(program);
	if (link < 0)
		return link;
	close(link);
	return 0;
}

void hook_name(const struct hook_site *site, char *text, size_t size)
{
	static const char * const types[] = {
		[HOOK_TP_BTF] = "tp_btf",
		[HOOK_FENTRY] = "fentry",
		[HOOK_FEXIT] = "fexit",
	};

	snprintf(text, size, "%s:%s", types[site->type], site->target);
}

void hook_error_text(int err, char *text, size_t size)
{
	if (err == -ENOENT)
		snprintf(text, size, "this kernel has no event for it");
	else if (err == -ENODEV)
		snprintf(text, size, "sysctl kernel.ftrace_enabled is 0");
	else
		snprintf(text, size, "the kernel refuses the hook: %s", strerror(-err));
}
