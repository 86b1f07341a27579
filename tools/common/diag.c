// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "diag.h"

#include "cause.h"
#include "kvm_btf.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/vfs.h>
#include <unistd.h>

#define KVM_MODULE "/sys/module/kvm"
#define LOCKDOWN "/sys/kernel/security/lockdown"

/* From linux/syslog.h of the kernel, which no header of the C library repeats. */
#define SYSLOG_ACTION_READ_ALL 3
#define SYSLOG_ACTION_SIZE_BUFFER 10

/* The verifier's last complaint is at the end; some hundred lines of its trail are enough. */
#define LOG_KEEP 65536

static struct {
	char text[LOG_KEEP + 1];
	size_t len;
	bool verbose;
} libbpf_log;

static void diag_vset(struct diag *diag, const char *next, const char *cause, va_list args)
{
	snprintf(diag->next, sizeof(diag->next), "%s", next ?: "");
	vsnprintf(diag->cause, sizeof(diag->cause), cause, args);
}

void diag_set(struct diag *diag, const char *next, const char *cause, ...)
{
	va_list args;

	va_start(args, cause);
	diag_vset(diag, next, cause, args);
	va_end(args);
}

int diag_print(const struct diag *diag, int code)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, diag->cause);
	if (diag->next[0])
		fprintf(stderr, "%s: try: %s\n", program_invocation_short_name, diag->next);
	return code;
}

int diag_fail(int code, const char *next, const char *cause, ...)
{
	struct diag diag;
	va_list args;

	va_start(args, cause);
	diag_vset(&diag, next, cause, args);
	va_end(args);
	return diag_print(&diag, code);
}

int diag_no_output(int code, const char *what, int err)
{
	const char *next = "check the program that reads the output, or the disk that it is written to";

	return diag_fail(code, err == -ENOMEM ? NULL : next, "cannot write %s: %s", what,
			 strerror(-err));
}

static uint64_t effective_caps(void)
{
	uint64_t caps = 0;
	char line[256];
	FILE *status = fopen("/proc/self/status", "re");

	if (!status)
		return 0;
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "CapEff: %" SCNx64, &caps) == 1)
			break;
	fclose(status);
	return caps;
}

static bool has_cap(unsigned int cap)
{
	uint64_t caps = effective_caps();

	/* The kernel accepts CAP_SYS_ADMIN in place of the two that were split off from it. */
	if ((cap == CAP_BPF || cap == CAP_PERFMON) && caps & 1ULL << CAP_SYS_ADMIN)
		return true;
	return caps & 1ULL << cap;
}

static bool need_caps(struct diag *why, const char *what, const char *names, bool ok)
{
	if (!ok && why)
		diag_set(why, "run it as root, for example with sudo",
			 "%s takes %s, which this process (uid %d) does not have",
			 what, names, geteuid());
	return ok;
}

static bool need_btf(struct diag *why)
{
	if (!access(VMLINUX_BTF, R_OK))
		return true;
	if (why && errno == ENOENT)
		diag_set(why, "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y",
			 "the kernel has no BTF: there is no " VMLINUX_BTF);
	else if (why)
		diag_set(why, "run it as root, for example with sudo",
			 "cannot read " VMLINUX_BTF ": %s", strerror(errno));
	return false;
}

/* Returns whether the kernel's log, which only root can read, tells that it refused KVM's types. */
static bool kvm_btf_refused(void)
{
	int size = klogctl(SYSLOG_ACTION_SIZE_BUFFER, NULL, 0);
	char *log = size > 0 ? malloc(size + 1) : NULL;
	bool refused = false;
	int len;

	if (!log)
		return false;
	len = klogctl(SYSLOG_ACTION_READ_ALL, log, size);
	if (len >= 0) {
		log[len] = '\0';
		refused = cause_is_refused_btf(log);
	}
	free(log);
	return refused;
}

/* The next step if KVM's module and the kernel do not fit. */
#define GET_OWN_MODULES \
	"dmesg | grep BTF, and install modules that were built together with the running kernel"

static bool need_kvm(struct diag *why)
{
	if (!access(KVM_MODULE, F_OK))
		return true;
	if (why && kvm_btf_refused())
		diag_set(why, GET_OWN_MODULES,
			 "KVM is not loaded: the kernel has refused the types (BTF) of the kvm module");
	else if (why)
		diag_set(why, "modprobe kvm-amd, or on Intel: modprobe kvm-intel",
			 "KVM is not loaded: there is no " KVM_MODULE);
	return false;
}

static bool need_kvm_btf(struct diag *why)
{
	if (!need_btf(why) || !need_kvm(why))
		return false;
	if (!access(KVM_BTF, R_OK))
		return true;
	/* Only a module has an initstate; built-in KVM has its types in vmlinux. */
	if (access(KVM_MODULE "/initstate", F_OK))
		return true;
	if (why && kvm_btf_refused())
		diag_set(why, GET_OWN_MODULES,
			 "the kernel has refused the types (BTF) of the kvm module: there is no " KVM_BTF);
	else if (why)
		diag_set(why, "boot a kernel built with CONFIG_DEBUG_INFO_BTF_MODULES=y",
			 "the kvm module has no BTF: there is no " KVM_BTF);
	return false;
}

static bool kvm_has_type(const char *name, uint32_t kind)
{
	struct kvm_btf kvm;
	bool found;

	if (kvm_btf_load(&kvm))
		return false;
	found = btf__find_by_name_kind(kvm.btf, name, kind) > 0;
	kvm_btf_free(&kvm);
	return found;
}

/* The next step for users who run a kernel without the series. */
#define GET_PATCHED_KERNEL \
	"run memattr-policy doctor, which says how to get the patched KVM"

static bool need_memattr(struct diag *why)
{
	if (!need_kvm_btf(why))
		return false;
	if (kvm_has_type(MEMATTR_VALUE_TYPE, BTF_KIND_STRUCT))
		return true;
	if (why)
		diag_set(why, GET_PATCHED_KERNEL,
			 "this kernel's KVM has no memory attribute policies (no kvm_memattr_ops in its BTF): this is a stock kernel, or one without CONFIG_KVM_MEMATTR_BPF");
	return false;
}

static bool need_tracepoints(struct diag *why)
{
	if (!need_kvm_btf(why))
		return false;
	if (kvm_has_type("btf_trace_kvm_memattr_convert", BTF_KIND_TYPEDEF) &&
	    kvm_has_type("btf_trace_kvm_memattr_exit", BTF_KIND_TYPEDEF))
		return true;
	if (why)
		diag_set(why, GET_PATCHED_KERNEL,
			 "this kernel's KVM has no tracepoints kvm_memattr_convert and kvm_memattr_exit: this is a stock kernel, or one without CONFIG_KVM_MEMATTR_BPF");
	return false;
}

static bool need_held_tracepoint(struct diag *why)
{
	if (!need_kvm_btf(why))
		return false;
	if (kvm_has_type("btf_trace_kvm_gmem_held", BTF_KIND_TYPEDEF))
		return true;
	if (why)
		diag_set(why, GET_PATCHED_KERNEL,
			 "this kernel's KVM has no tracepoint kvm_gmem_held: this is a stock kernel, or an older patched one that does not convert in place");
	return false;
}

static bool mounted(const char *path, long magic)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == magic;
}

static bool need_debugfs(struct diag *why)
{
	if (!mounted("/sys/kernel/debug", DEBUGFS_MAGIC)) {
		if (why)
			diag_set(why, "mount -t debugfs debugfs /sys/kernel/debug",
				 "debugfs is not mounted on /sys/kernel/debug");
		return false;
	}
	if (access("/sys/kernel/debug", R_OK | X_OK)) {
		if (why)
			diag_set(why, "run it as root, for example with sudo",
				 "cannot read /sys/kernel/debug: %s", strerror(errno));
		return false;
	}
	return true;
}

static bool need_bpffs(struct diag *why)
{
	if (mounted("/sys/fs/bpf", BPF_FS_MAGIC))
		return true;
	if (why)
		diag_set(why, "mount -t bpf bpf /sys/fs/bpf",
			 "bpffs is not mounted on /sys/fs/bpf");
	return false;
}

bool diag_has(enum diag_need need, struct diag *why)
{
	switch (need) {
	case DIAG_BPF_RIGHTS:
		return need_caps(why, "loading BPF programs", "CAP_BPF and CAP_PERFMON",
				 has_cap(CAP_BPF) && has_cap(CAP_PERFMON));
	case DIAG_ADMIN_RIGHTS:
		return need_caps(why, "reaching BPF objects, modules' types and other processes' VMs",
				 "CAP_SYS_ADMIN", has_cap(CAP_SYS_ADMIN));
	case DIAG_PTRACE_RIGHTS:
		return need_caps(why, "taking a descriptor out of another process",
				 "CAP_SYS_PTRACE", has_cap(CAP_SYS_PTRACE));
	case DIAG_BTF:
		return need_btf(why);
	case DIAG_KVM:
		return need_kvm(why);
	case DIAG_KVM_BTF:
		return need_kvm_btf(why);
	case DIAG_MEMATTR:
		return need_memattr(why);
	case DIAG_TRACEPOINTS:
		return need_tracepoints(why);
	case DIAG_HELD_TRACEPOINT:
		return need_held_tracepoint(why);
	case DIAG_DEBUGFS:
		return need_debugfs(why);
	case DIAG_BPFFS:
		return need_bpffs(why);
	}
	return false;
}

static void log_append(const char *text, size_t len)
{
	if (len > LOG_KEEP) {
		text += len - LOG_KEEP;
		len = LOG_KEEP;
	}
	if (libbpf_log.len + len > LOG_KEEP) {
		size_t drop = libbpf_log.len + len - LOG_KEEP;

		memmove(libbpf_log.text, libbpf_log.text + drop, libbpf_log.len - drop);
		libbpf_log.len -= drop;
	}
	memcpy(libbpf_log.text + libbpf_log.len, text, len);
	libbpf_log.len += len;
	libbpf_log.text[libbpf_log.len] = '\0';
}

static int libbpf_print(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text;
	int len;

	if (level == LIBBPF_DEBUG && !libbpf_log.verbose)
		return 0;
	len = vasprintf(&text, format, args);
	if (len < 0)
		return 0;
	if (libbpf_log.verbose)
		fputs(text, stderr);
	if (level != LIBBPF_DEBUG)
		log_append(text, len);
	free(text);
	return 0;
}

void diag_libbpf_init(bool verbose)
{
	libbpf_log.verbose = verbose;
	libbpf_set_print(libbpf_print);
}

const char *diag_libbpf_tail(unsigned int lines)
{
	char *start = libbpf_log.text + libbpf_log.len;

	while (start > libbpf_log.text) {
		/* The newline at the very end closes the last line; it does not open another. */
		if (start[-1] == '\n' && *start && !lines--)
			break;
		start--;
	}
	return start;
}

/* The kernel returns EPERM although the process has the capabilities. */
static void not_permitted(struct diag *diag)
{
	if (!diag_has(DIAG_BPF_RIGHTS, diag))
		return;
	if (cause_is_user_namespace("/proc/self/uid_map"))
		diag_set(diag, "run it outside of the container, as the host's root",
			 "BPF takes capabilities of the host, and this process is in a user namespace");
	else if (cause_is_seccomp("/proc/self/status"))
		diag_set(diag, "allow the system call bpf, or run it outside of the sandbox",
			 "a seccomp filter of this process forbids BPF");
	else
		diag_set(diag, "cat " LOCKDOWN ", and look for a security module that forbids BPF",
			 "the kernel does not let this process load BPF programs");
}

bool diag_is_locked_down(struct diag *diag)
{
	if (!cause_is_no_read(libbpf_log.text) || !cause_is_confidential(LOCKDOWN))
		return false;
	diag_set(diag, "boot without lockdown=confidentiality; lockdown=integrity is fine",
		 "kernel lockdown forbids BPF to read kernel memory, which this program has to");
	return true;
}

/* The verifier refuses the program. The reason may be what it is allowed to do, and not its code. */
static void refused(struct diag *diag, int err)
{
	if (!diag_is_locked_down(diag))
		diag_set(diag, "run it again with -v to see the verifier's log",
			 "the kernel's verifier refuses the program: %s", strerror(-err));
}

static void no_memory(struct diag *diag)
{
	unsigned long long limit;
	char path[256];

	if (cause_is_cgroup("/proc/self/cgroup", "/sys/fs/cgroup", path, sizeof(path), &limit))
		diag_set(diag, "free memory, or raise memory.max there",
			 "the kernel has too little memory to load the program; the memory cgroup %s is limited to %llu bytes",
			 path, limit);
	else
		diag_set(diag, "free memory",
			 "the kernel has too little memory to load the program, and no memory cgroup limits this process");
}

void diag_bpf_load(struct diag *diag, int err)
{
	switch (-err) {
	case EPERM:
		not_permitted(diag);
		return;
	case EACCES:
	case EINVAL:
		refused(diag, err);
		return;
	case ESRCH:
	case ENOENT:
		/* Without CAP_SYS_ADMIN libbpf does not see the types of modules, and reports that there are none. */
		if (!access(KVM_BTF, F_OK) && !diag_has(DIAG_ADMIN_RIGHTS, diag))
			return;
		if (diag_has(DIAG_KVM_BTF, diag))
			diag_set(diag, "run it again with -v to see which",
				 "the kernel lacks something that the program refers to");
		return;
	case EOPNOTSUPP:
		diag_set(diag, "run it again with -v to see which, and boot a kernel that has it",
			 "the program uses callbacks or members that this kernel does not have");
		return;
	case ENOMEM:
		no_memory(diag);
		return;
	default:
		diag_set(diag, "run it again with -v to see what libbpf says",
			 "the program cannot be loaded: %s", strerror(-err));
	}
}
