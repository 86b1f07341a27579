// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "hook.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
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
	prober->stats_fd = -1;
	err = kvm_btf_load(&prober->kvm);
	if (err)
		return err;
	if (prober->kvm.btf != prober->kvm.vmlinux) {
		prober->module_fd = kvm_btf_fd();
		if (prober->module_fd < 0) {
			kvm_btf_free(&prober->kvm);
			return prober->module_fd;
		}
	}
	/* This may fail: no trial then tells anything. */
	prober->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	return 0;
}

void hook_prober_close(struct hook_prober *prober)
{
	if (prober->stats_fd >= 0)
		close(prober->stats_fd);
	if (prober->module_fd >= 0)
		close(prober->module_fd);
	kvm_btf_free(&prober->kvm);
}

static bool is_event(const struct hook_site *site)
{
	return site->type == HOOK_TP_BTF || site->type == HOOK_TP_VENDOR;
}

/* Returns the id of the type to attach to; it is negative if there is none. */
static int hook_type(const struct hook_prober *prober, const struct hook_site *site)
{
	bool event = is_event(site);
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

/* Where tracefs is mounted by itself, and where debugfs mounts it. */
static FILE *open_enabled_functions(void)
{
	FILE *file = fopen("/sys/kernel/tracing/enabled_functions", "re");

	return file ?: fopen("/sys/kernel/debug/tracing/enabled_functions", "re");
}

int hook_is_enabled(const char *function, bool in_module)
{
	FILE *file = open_enabled_functions();
	char *line = NULL, begin[96];
	size_t size = 0;
	int found = 0;

	if (!file)
		return -errno;
	snprintf(begin, sizeof(begin), "%s%s (", function, in_module ? " [kvm]" : "");
	while (!found && getline(&line, &size, file) > 0)
		found = !strncmp(line, begin, strlen(begin));
	free(line);
	fclose(file);
	return found;
}

/* Returns how often the program has run while the kernel counted it. */
static uint64_t run_count(int program)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return bpf_prog_get_info_by_fd(program, &info, &len) ? 0 : info.run_cnt;
}

/* Linux has these modules for CPUs. There are others, some of which call no tracepoint. */
static bool vendor_is_known(void)
{
	return !access("/sys/module/kvm_amd", F_OK) || !access("/sys/module/kvm_intel", F_OK);
}

/* Checks a program that is attached. */
static int check_calls(const struct hook_prober *prober, const struct hook_site *site, int program,
		       int (*trial)(void))
{
	int enabled;

	/* KVM's code calls the tracepoint, whatever the compiler does. */
	if (is_event(site))
		return site->type == HOOK_TP_VENDOR && !vendor_is_known() ? HOOK_UNSURE : 0;
	enabled = hook_is_enabled(site->target, prober->module_fd >= 0);
	if (!enabled)
		return -ENXIO;
	if (!trial)
		return enabled < 0 ? HOOK_UNSURE : 0;
	if (prober->stats_fd < 0 || trial())
		return HOOK_UNSURE;
	return run_count(program) ? 0 : -ENXIO;
}

static int load_nothing(const struct hook_prober *prober, const struct hook_site *site, int id)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	static const enum bpf_attach_type attach_types[] = {
		[HOOK_TP_BTF] = BPF_TRACE_RAW_TP,
		[HOOK_TP_VENDOR] = BPF_TRACE_RAW_TP,
		[HOOK_FENTRY] = BPF_TRACE_FENTRY,
		[HOOK_FEXIT] = BPF_TRACE_FEXIT,
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts);

	opts.expected_attach_type = attach_types[site->type];
	opts.attach_btf_id = id;
	/* Ids of a module's types come after those of vmlinux. */
	if (id >= (int)btf__type_cnt(prober->kvm.vmlinux))
		opts.attach_btf_obj_fd = prober->module_fd;
	return bpf_prog_load(BPF_PROG_TYPE_TRACING, "memattr_probe", "GPL", nothing, 2, &opts);
}

int hook_probe(const struct hook_prober *prober, const struct hook_site *site, int (*trial)(void))
{
	int id = hook_type(prober, site), program, link, err;

	if (id < 0)
		return -ENOENT;
	if (!is_event(site) && ftrace_is_off())
		return -ENODEV;
	program = load_nothing(prober, site, id);
	if (program < 0)
		return program;
	link = bpf_raw_tracepoint_open(NULL, program);
	err = link < 0 ? link : check_calls(prober, site, program, trial);
	close(program);
	if (link >= 0)
		close(link);
	return err;
}

void hook_name(const struct hook_site *site, char *text, size_t size)
{
	static const char * const types[] = {
		[HOOK_TP_BTF] = "tp_btf",
		[HOOK_TP_VENDOR] = "tp_btf",
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
	else if (err == -ENXIO)
		snprintf(text, size, "the kernel accepts the hook, but never calls it");
	else
		snprintf(text, size, "the kernel refuses the hook: %s", strerror(-err));
}
