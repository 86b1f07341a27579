// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "parsers.h"

#include <err.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot_rules.h"
#include "cause.h"
#include "cpus.h"
#include "files.h"
#include "hook.h"
#include "params.h"
#include "policy.h"
#include "process.h"
#include "recording.h"
#include "records.h"
#include "symbols.h"
#include "tap.h"
#include "text.h"
#include "trace.h"
#include "utf8.h"
#include "vm.h"
#include "vm_files.h"
#include "why_holders.h"

/* A policy with parameters of all kinds. */
#define POLICY_FILE "build/selftests/policy/fault.bpf.o"

static struct policy policy;

/* What a terminal may get: UTF-8 without control characters, of less than @size bytes. */
static bool is_clean(const char *what, const char *text, size_t size)
{
	uint32_t code;
	int bytes;

	if (strnlen(text, size) == size)
		return complain("%s does not end", what);
	for (; *text; text += bytes) {
		bytes = utf8_char(text, &code);
		if (!bytes || utf8_is_control(code))
			return complain("%s has the byte 0x%02x", what, (unsigned char)*text);
	}
	return true;
}

/* --- command lines and comms --- */

static const struct sample name_samples[] = {
	SAMPLE("qemu-system-x86_64\0-name\0guest=web,debug-threads=on\0-S\0-machine\0pc,accel=kvm\0"),
	SAMPLE("/usr/bin/qemu-system-x86_64\0-fw_cfg\0-name\0-name\0debug-threads=on,guest=a,,1\0-nographic\0"),
	SAMPLE("cloud-hypervisor\0--api-socket\0path=/run/vc/vm/web/clh-api.sock\0"),
	SAMPLE("./firecracker\0--id\0vm-4711\0--api-sock=/run/firecracker.socket\0"),
	SAMPLE("crosvm\0run\0-s\0/run/web.sock\0--name=b\xc3\xbcro-7\0"),
	SAMPLE("memattr-guest\n"),
	SAMPLE("0::/system.slice/system-crosvm.slice/crosvm@web.service\n"),
};

/* Few names would be cut if they had all the room that they have in the tools. */
#define NAME_SIZE 12

static bool parse_name(const char *input, size_t len)
{
	char *name = malloc(NAME_SIZE);
	bool good;

	if (!name)
		err(1, "malloc");
	fake_files(input, len);
	vm_name(getpid(), name, NAME_SIZE);
	fake_files(NULL, 0);
	good = (*name || complain("the name is empty")) && is_clean("the name", name, NAME_SIZE) &&
	       (!vm_name_in_cmdline(input, len, name, NAME_SIZE) || is_clean("the option", name, NAME_SIZE));
	free(name);
	return good;
}

/* --- files of the kernel --- */

static const struct sample status_samples[] = {
	SAMPLE("Name:\tvmsh\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t4711\nNgid:\t0\nPid:\t4712\n"),
	SAMPLE("4711 (a) b) S 1 4711 4711 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 789 10"),
	SAMPLE("pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1057\nkvm_vm_id:\t12\nkvm_vcpu_id:\t0\n"),
};

static bool parse_status(const char *input, size_t len)
{
	fake_files(input, len);
	process_of_thread(getpid());
	process_start(getpid());
	vm_file_id(getpid(), 0);
	fake_files(NULL, 0);
	return true;
}

static const struct sample policy_samples[] = {
	SAMPLE("policy: none\n"),
	SAMPLE("policy: ratelimit\nscope: all\nlink_id: 12\nbudget_us: 5000\n"),
	SAMPLE("policy: none\nexit_policy: fault\nexit_kind: bad-return\nexit_code: -22\n"
	       "exit_text: convert() returned -22, which it must not\n"),
	SAMPLE("pos:\t0\nflags:\t02000002\nkvm_vm_id:\t12\nmemattr_policy:\tseal\nmemattr_scope:\tvm\n"
	       "memattr_link_id:\t7\nmemattr_budget_us:\t0\nmemattr_exit_kind:\tbudget\nmemattr_exit_code:\t1\n"),
	SAMPLE("4711\n"),
};

/* With the VM's folder in debugfs, and by its descriptor. */
static bool read_policy(const char *dir)
{
	struct vm vm = { .id = 12, .pid = getpid(), .fd = 0 };
	struct vm_policy read = {};

	snprintf(vm.dir, sizeof(vm.dir), "%s", dir);
	vm_policy_read(&vm, &read);
	return strnlen(read.policy, sizeof(read.policy)) < sizeof(read.policy) &&
	       strnlen(read.exit_policy, sizeof(read.exit_policy)) < sizeof(read.exit_policy) &&
	       strnlen(read.exit_kind, sizeof(read.exit_kind)) < sizeof(read.exit_kind) &&
	       strnlen(read.exit_text, sizeof(read.exit_text)) < sizeof(read.exit_text);
}

static bool parse_policy(const char *input, size_t len)
{
	bool good;

	fake_files(input, len);
	good = read_policy("1-3") && read_policy("");
	fake_files(NULL, 0);
	return good;
}

static const struct sample ring_samples[] = {
	SAMPLE("SqMask:\t0x3\nUserFiles:\t0\nUserBufs:\t2\n    0: 0x7f0000001000/4096\n    1: 0x7f0000003000/8192\n"),
};

static bool parse_ring(const char *input, size_t len)
{
	struct holders holders;

	fake_files(input, len);
	holders_find(getpid(), 0x7f0000003800, &holders);
	fake_files(NULL, 0);
	return holders.io_uring_fd >= NO_FD;
}

static const struct sample use_samples[] = {
	SAMPLE("prefaulted 512\nunused 12\nuntouched 338\n"),
};

static const struct sample symbol_samples[] = {
	SAMPLE("ffffffff81000000 T _stext\nffffffff81000040 t kvm_vcpu_ioctl\t[kvm]\nffffffffc0a00000 t bpf_prog_1\t[bpf]\n"
	       "ffffffff82000000 D init_task\n0000000000000000 A fixed_percpu_data\n"),
};

static bool parse_symbols(const char *input, size_t len)
{
	struct symbols *symbols = NULL;
	bool good = true;

	/* Modules come and go, and each time other symbols are at the same addresses. */
	for (size_t at = 0; at <= len; at += 1 + len / 3) {
		fake_files(input + at, len - at);
		if (symbols_read(&symbols))
			good = complain("no memory");
		fake_files(NULL, 0);
	}
	for (uint64_t address = 1; good && address; address <<= 4)
		good = *symbols_name(symbols, address) && *symbols_name(symbols, address - 1) &&
		       *symbols_name(symbols, UINT64_MAX - address);
	symbols_free(symbols);
	return good;
}

static const struct sample cpu_samples[] = {
	SAMPLE("0-1\n"), SAMPLE("0,2-3\n"), SAMPLE("0\n"), SAMPLE("0-3,8-11,64-127\n"),
};

static bool parse_cpus(const char *input, size_t len)
{
	int end;

	fake_files(input, len);
	end = cpus_end(POSSIBLE_CPUS);
	fake_files(NULL, 0);
	return end;
}

static const struct sample function_samples[] = {
	SAMPLE("kvm_vcpu_ioctl [kvm] (1) R I     \ttramp: 0xffffffffc0201000 (kvm_vcpu_ioctl+0x0/0x7a0 [kvm])\n"
	       "kvm_tdp_page_fault [kvm] (2) R D M \tdirect-->bpf_trampoline_6442543210+0x0/0xf0\n"),
	SAMPLE("do_exit (1)\nkvm_tdp_page_fault (1)\nkvm_tdp_page_fault_not [kvm] (1)\n"),
};

/* Searches all of the input at once for what has to begin a line. */
static bool has_function(const char *input, size_t len, const char *begin)
{
	const char *line = input, *end = input + len;

	for (; line < end; line++) {
		if ((size_t)(end - line) >= strlen(begin) && !memcmp(line, begin, strlen(begin)))
			return true;
		line = memchr(line, '\n', end - line);
		if (!line)
			return false;
	}
	return false;
}

static bool parse_functions(const char *input, size_t len)
{
	int in_module, built_in;

	fake_files(input, len);
	in_module = hook_is_enabled("kvm_tdp_page_fault", true);
	built_in = hook_is_enabled("kvm_tdp_page_fault", false);
	fake_files(NULL, 0);
	/* The C library does not open an empty input. */
	if (!len)
		return true;
	return (in_module == has_function(input, len, "kvm_tdp_page_fault [kvm] (") &&
		built_in == has_function(input, len, "kvm_tdp_page_fault (")) ||
	       complain("enabled in the module: %d, in the kernel: %d", in_module, built_in);
}

static const struct sample cause_samples[] = {
	SAMPLE("none integrity [confidentiality]\n"),
	SAMPLE("Name:\tx\nNoNewPrivs:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n"),
	SAMPLE("         0     100000      65536\n"),
	SAMPLE("1:name=systemd:/x\n0::/vmms/small/web\n"),
	SAMPLE("<4>[   12.3] BPF: \n<4>[   12.3] failed to validate module [kvm] BTF: -22\n"),
};

static bool parse_causes(const char *input, size_t len)
{
	unsigned long long limit;
	char path[32];
	bool good;

	fake_files(input, len);
	cause_is_confidential("lockdown");
	cause_is_seccomp("status");
	cause_is_user_namespace("uid_map");
	good = !cause_is_cgroup("cgroup", "/", path, sizeof(path), &limit) ||
	       strnlen(path, sizeof(path)) < sizeof(path);
	fake_files(NULL, 0);
	cause_is_no_read(input);
	cause_is_refused_btf(input);
	return good;
}

/* --- records --- */

static struct sample record_samples[] = {
	{},	/* see prepare_parsers() */
	SAMPLE("memattr-record 3 prefault-trace\nmeasured faults fault_ends calls pages late windows use\n"
	       "hook faults tp_btf:kvm_stage2_fault %\nhook mapped%20ahead tp_btf:kvm_prefault_map a%20note\n"
	       "keys snapshot time_ns wall cost_known bpf_ns bpf_runs has_stacks\n"
	       "keys vm birth pid creator_tid fd ended name use_time_ns use_mapped use_unused use_untouched\n"
	       "keys series birth vcpu event alias level access result prefaulted reason count ns max_ns pages done_pages "
	       "latency\n"
	       "keys slow ns gpa pid vcpu event alias level access result prefaulted reason name frames\n"
	       "keys stack count ns pid folded\n"
	       "snapshot 1000000000 1795000000 1 1000 10 1\n"
	       "vm 1 1000 1000 12 0 b\xc3\xbcro%207 1000000000 100 10 20\n"
	       "series 1 0 0 0 1 0 5 0 0 100 100000 5000 0 0 80:100\n"
	       "series 1 1 1 2 0 3 -14 0 0 2 100000 5000 512 500 80:1,90:1\n"
	       "slow 900000 4096 1000 0 0 1 1 1 5 0 0 vmm kvm_a;kvm_b\n"
	       "end\n"
	       "snapshot 2000000000 1795000001 1 2000 20 1\n"
	       "vm 1 1000 1000 12 1 b\xc3\xbcro%207 2000000000 160 10 20\n"
	       "series 1 0 0 0 1 0 5 0 0 200 200000 5000 0 0 80:200\n"
	       "end\n"
	       "last 2000000000 1795000001 1 2000 20 1\n"
	       "stack 3 3000 1000 vmm-1000;kvm_a;kvm_b\n"
	       "end\n"),
	SAMPLE("memattr-record 3 prefault-trace\nmeasured faults\nkeys snapshot time_ns\nkeys vm birth name\n"
	       "snapshot 1\nvm 1 %\nend\nsnapshot 1\nvm 2 a\nend\n"),
	/* Differences. */
	SAMPLE("memattr-record 5 prefault-trace\nmeasured faults\nkeys snapshot time_ns\nkeys vm birth name\n"
	       "keys series birth vcpu count latency\nsnapshot 1\nvm 1 a\nseries 1 0 7 88:6a\nseries 1 1 1 88:\n"
	       "series 1 2 1 90:\nend\nsnapshot 2\nvm @\nseries @ = = +5 +88:b2a,200:\nseries @1 -\nseries @2 = = +1 -\n"
	       "end\nsnapshot 3\nvm @\nseries @1 = = +1 +20:\nend\n"),
	SAMPLE("memattr-record 6 prefault-trace\nmeasured faults\nkeys snapshot time_ns\nkeys vm birth name\n"
	       "keys series birth vcpu latency count ns\nsnapshot 1\nvm 1 a\nseries 1 0 88:6a 7 9\nseries 1 1 88: 1 2\n"
	       "series 1 2 90: 1 3\nend\nsnapshot 2\nchanged vm 0\nseries @1 -\nchanged series 0 2\n"
	       "+latency mb2a,200: :20:\n+count # 3\n+ns -3 :2\nend\nsnapshot 3\nvm 2 b\nchanged vm 0\nchanged series 0-1\n"
	       "+latency = 20:\n+ns 5 +7\nend\n"),
	/* Keys that come twice. */
	SAMPLE("memattr-record 3 prefault-trace\nmeasured faults\nkeys snapshot time_ns time_ns\nkeys vm birth name name\n"
	       "keys series birth latency latency\nkeys slow ns frames frames\n"
	       "snapshot 1 1\nvm 1 a b\nseries 1 80:1,81:2 1:2\nslow 1 a b\nend\nsnapshot 1 2\nend\n"),
};

/* --- what perf prints --- */

static const struct sample recording_samples[] = {
	SAMPLE("       CPU 1/KVM   104 [001]     8.419828:    kvm:kvm_stage2_fault: vm_id 79939 vm_pid 98 vcpu 1 "
	       "gpa 0x1002f7000 error_code 0x2000100000004 level 1 prefaulted 0 ret 5 ns 18517"),
	SAMPLE("       CPU 0/KVM   103 [000]     8.421234: kvm:kvm_memattr_convert: vm_id 79939 vm_pid 98 "
	       "gfns [0x100390, 0x100394) ino 0 pages [0, 0) reason 0 attributes 0x8 -> 0 requested 4 effective 4 "
	       "policy none verdict 0 ret 0 lock_ns 48412 policy_ns 0 take_ns 0 zap_ns 1815426 store_ns 687525"),
	SAMPLE("a kvm:b 98/103   8.421234567: kvm:kvm_memattr_convert: vm_id 1 gfns [0, 0) attributes 0 -> 0x8 ret -11 "),
	SAMPLE("vmm 7 [000] 1.5: kvm:kvm_exit: reason npf"),
};

static bool parse_recording(const char *input, size_t len)
{
	struct recorded_event event = {};

	(void)len;
	if (recorded_parse(input, &event) < RECORDED_CONVERSION)
		return true;
	return (event.time_ns >= 0 && event.gpa % 4096 == 0 && event.gpa < UINT64_MAX - event.pages * 4096) ||
	       complain("time %lld, gpa 0x%llx, %llu pages", (long long)event.time_ns,
			(unsigned long long)event.gpa, (unsigned long long)event.pages);
}

/* --- what people write --- */

static const struct sample parameter_samples[] = {
	SAMPLE("convert_ret=-22"), SAMPLE("pause_us=2s"), SAMPLE("pause_us=1500ns"), SAMPLE("turns=8M"),
	SAMPLE("turns=0x10"), SAMPLE("flag=yes"), SAMPLE("flag=off"), SAMPLE("zap_start_add=-0x10"), SAMPLE("nosuch=1"),
	SAMPLE("attach_ret=99999999999999999999"), SAMPLE("turns="), SAMPLE("turns"),
};

static bool parse_parameter(const char *input, size_t len)
{
	(void)len;
	params_set(policy.obj, "fault", input);
	return params_value(policy.obj, "turns") <= 8000000 && params_value(policy.obj, "flag") <= 1;
}

/* Each file in the folder reads as the input. */
#define RULES_DIR "packaging/examples"

static const struct sample rule_samples[] = {
	SAMPLE("[policy]\nfile = ratelimit\nvms = all\nbudget-us = 500\n\n[parameters]\npages_per_s = 65536\n"),
	SAMPLE("# Customers.\n[policy]\nfile=/opt/p/seal.bpf.o\nvms = name:web-[0-9]*\n  vms = cgroup:/vmms/*.slice \n"
	       "[parameters]\nboot = 30s\n; no more\n"),
	SAMPLE("[policy]\nfile = a\nfile = b\nvms = all\nvms = name:*\nbudget-us = 0\nnosuch = 1\n[other]\n"),
};

static bool parse_rules(const char *input, size_t len)
{
	const struct vm vm = { .pid = getpid(), .name = "web-7" };
	struct boot_rules rules;
	bool good;

	fake_files(input, len);
	boot_rules_read(RULES_DIR, &rules);
	good = rules.count + rules.wrong > 0 || complain("there is no file in %s", RULES_DIR);
	for (size_t i = 0; i < rules.count; i++)
		good &= rules.rules[i].options.file && (rules.rules[i].options.all || rules.rules[i].selector_count);
	boot_rules_find(&rules, &vm);
	boot_rules_free(&rules);
	fake_files(NULL, 0);
	return good;
}

static const struct sample number_samples[] = {
	SAMPLE("0.5"), SAMPLE("0,5"), SAMPLE("3600"), SAMPLE(".25"), SAMPLE("1,"),
	SAMPLE("0.11111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"),
};

/* Reads it as the C library does where numbers have a point, which accepts more. */
static bool parse_decimal(const char *input, size_t len)
{
	char *copy = strdup(input), *separator, *end;
	double number, expected;
	bool good;

	if (!copy)
		err(1, "strdup");
	separator = strchr(copy, ',');
	if (separator)
		*separator = '.';
	expected = strtod(copy, &end);
	good = !read_decimal(input, &number) ||
	       (!*end && strspn(copy, "0123456789.") == strlen(copy) && number >= 0 &&
		(isinf(number) ? len > 300 : fabs(number - expected) <= expected * 1e-9));
	free(copy);
	return good;
}

/* --- what is drawn --- */

static const struct sample text_samples[] = {
	SAMPLE("instance-00001234"), SAMPLE("b\xc3\xbcro-7"), SAMPLE("\xe4\xbb\xae\xe6\x83\xb3"), SAMPLE("e\xcc\x81"),
};

static bool parse_text(const char *input, size_t len)
{
	int cells = text_cells(input);

	return cells >= 0 && (size_t)cells <= len;
}

const struct parser parsers[] = {
	PARSER("name", name_samples, parse_name),
	PARSER("status", status_samples, parse_status),
	PARSER("memattr_policy", policy_samples, parse_policy),
	PARSER("io_uring", ring_samples, parse_ring),
	PARSER("enabled_functions", function_samples, parse_functions),
	PARSER("cause", cause_samples, parse_causes),
	PARSER("record", record_samples, parse_record),
	PARSER("mmu_prefault_stat", use_samples, parse_use),
	PARSER("cpus", cpu_samples, parse_cpus),
	PARSER("perf script", recording_samples, parse_recording),
	PARSER("kallsyms", symbol_samples, parse_symbols),
	PARSER("policies.d", rule_samples, parse_rules),
	PARSER("parameter", parameter_samples, parse_parameter),
	PARSER("decimal", number_samples, parse_decimal),
	PARSER("text", text_samples, parse_text),
};
const size_t parser_count = sizeof(parsers) / sizeof(parsers[0]);

void prepare_parsers(void)
{
	setenv("LC_ALL", "C.UTF-8", 1);
	text_use_locale();
	if (policy_open(&policy, POLICY_FILE))
		errx(1, "cannot open %s; to build it: make fuzz-tests", POLICY_FILE);
	prepare_records();
	record_samples[0] = read_record("prefault-trace");
	/* Parsers report what is wrong; sanitizers write to the descriptor itself. */
	stderr = fopen("/dev/null", "we");
	if (!stderr)
		err(1, "/dev/null");
}
