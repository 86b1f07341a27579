// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "hooks.h"
#include "kvm_btf.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Of each metric the best first. The tracepoints kvm_memattr_* come with the memattr kernel series. */
static const struct hook ladder[] = {
	{
		.metric = METRIC_EXITS, .measures = MEASURE_EXITS,
		.target = "kvm_exit", .program = "count_exit",
	}, {
		.metric = METRIC_CONVERSIONS, .measures = MEASURE_CONVERSIONS | MEASURE_REQUESTS,
		.target = "kvm_memattr_convert", .program = "count_convert",
	}, {
		/* Linux 6.8 */
		.metric = METRIC_CONVERSIONS, .measures = MEASURE_CONVERSIONS, .fentry = true,
		.target = "kvm_arch_post_set_memory_attributes", .program = "count_convert_stock",
		.note = "counts once per memslot; effective pages are an upper bound",
	}, {
		.metric = METRIC_ZAPS, .measures = MEASURE_ZAPS,
		.target = "kvm_memattr_zap", .program = "count_zap",
	}, {
		/* Linux 6.8 */
		.metric = METRIC_ZAPS, .measures = MEASURE_ZAPS, .fentry = true,
		.target = "kvm_arch_pre_set_memory_attributes", .program = "count_zap_stock",
	}, {
		.metric = METRIC_VM_END, .fentry = true,
		.target = "kvm_arch_destroy_vm", .program = "end_vm",
	},
};

static const char * const metric_names[] = {
	[METRIC_EXITS] = "exits",
	[METRIC_CONVERSIONS] = "conversions",
	[METRIC_ZAPS] = "zaps",
	[METRIC_VM_END] = "VM end",
};

/* Ids of modules' BTF are known to the kernel only: look for the one called kvm. */
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

/* The type to attach to: negative if there is none. @module: it is one of the kvm module's. */
static int hook_type(const struct kvm_btf *kvm, const struct hook *hook, bool *module)
{
	char name[64];
	__u32 kind;
	int id;

	snprintf(name, sizeof(name), "%s%s", hook->fentry ? "" : "btf_trace_", hook->target);
	kind = hook->fentry ? BTF_KIND_FUNC : BTF_KIND_TYPEDEF;
	id = btf__find_by_name_kind(kvm->btf, name, kind);
	/* Ids of a module's types come after those of vmlinux. */
	*module = id >= (int)btf__type_cnt(kvm->vmlinux);
	return id;
}

/* Then functions can be hooked, but nothing is called. */
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

/* Being there is not enough: some kernels refuse fentry, some functions refuse to be traced. */
static int hook_probe(const struct kvm_btf *kvm, int module_fd, const struct hook *hook)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	int id, program, link;
	bool module;

	id = hook_type(kvm, hook, &module);
	if (id < 0)
		return -ENOENT;
	if (hook->fentry && ftrace_is_off())
		return -ENODEV;
	opts.expected_attach_type = hook->fentry ? BPF_TRACE_FENTRY : BPF_TRACE_RAW_TP;
	opts.attach_btf_id = id;
	if (module)
		opts.attach_btf_obj_fd = module_fd;
	program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "top_probe", "GPL", nothing, 2, &opts);
	if (program < 0)
		return program;
	link = bpf_raw_tracepoint_open(NULL, program);
	close(program);
	if (link < 0)
		return link;
	close(link);
	return 0;
}

int hooks_probe(struct hooks *hooks)
{
	struct kvm_btf kvm;
	int module_fd = -1;
	int err;

	*hooks = (struct hooks){};
	err = kvm_btf_load(&kvm);
	if (err)
		return err;
	if (kvm.btf != kvm.vmlinux) {
		module_fd = kvm_btf_fd();
		err = module_fd < 0 ? module_fd : 0;
	}
	for (size_t i = 0; !err && i < sizeof(ladder) / sizeof(*ladder); i++) {
		const struct hook *hook = &ladder[i];

		if (hooks->active[hook->metric])
			continue;
		hooks->errors[hook->metric] = hook_probe(&kvm, module_fd, hook);
		if (!hooks->errors[hook->metric])
			hooks->active[hook->metric] = hook;
	}
	if (module_fd >= 0)
		close(module_fd);
	kvm_btf_free(&kvm);
	return err;
}

int hooks_select(const struct hooks *hooks, struct bpf_object *object)
{
	for (size_t i = 0; i < sizeof(ladder) / sizeof(*ladder); i++) {
		struct bpf_program *program =
			bpf_object__find_program_by_name(object, ladder[i].program);

		if (!program)
			return -ENOENT;
		bpf_program__set_autoload(program, hooks->active[ladder[i].metric] == &ladder[i]);
	}
	return 0;
}

void hooks_describe(const struct hooks *hooks, enum metric metric, struct snapshot_hook *text)
{
	const struct hook *hook = hooks->active[metric];

	*text = (struct snapshot_hook){};
	snprintf(text->metric, sizeof(text->metric), "%s", metric_names[metric]);
	if (!hook) {
		snprintf(text->hook, sizeof(text->hook), "n/a");
		if (hooks->errors[metric] == -ENOENT)
			snprintf(text->note, sizeof(text->note), "this kernel has no event for it");
		else if (hooks->errors[metric] == -ENODEV)
			snprintf(text->note, sizeof(text->note), "sysctl kernel.ftrace_enabled is 0");
		else
			snprintf(text->note, sizeof(text->note), "the kernel refuses the hook: %s",
				 strerror(-hooks->errors[metric]));
		return;
	}
	snprintf(text->hook, sizeof(text->hook), "%s:%s", hook->fentry ? "fentry" : "tp_btf",
		 hook->target);
	snprintf(text->note, sizeof(text->note), "%s", hook->note ?: "");
}

unsigned int hooks_measures(const struct hooks *hooks)
{
	unsigned int measures = 0;

	for (int metric = 0; metric < METRIC_COUNT; metric++)
		if (hooks->active[metric])
			measures |= hooks->active[metric]->measures;
	return measures;
}
