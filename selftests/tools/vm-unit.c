// SPDX-License-Identifier: GPL-2.0
/*
 * What VMs are called, by any command line that somebody may choose, and whose numbers are whose.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "process.h"
#include "random.h"
#include "utf8.h"
#include "vm.h"
#include "vm_name.h"

/* The name in a command line whose arguments @line has blanks between; "" if there is none. */
static const char *name_in(const char *line)
{
	static char name[VM_NAME_LEN];
	char cmdline[1024];
	size_t len = strlen(line);

	memcpy(cmdline, line, len + 1);
	for (size_t i = 0; i < len; i++)
		if (cmdline[i] == ' ')
			cmdline[i] = '\0';
	if (!vm_name_in_cmdline(cmdline, len + 1, name, sizeof(name)))
		name[0] = '\0';
	return name;
}

static void qemu_reads_its_option(void **state)
{
	static const char *const cases[][2] = {
		{ "./qemu -name web", "web" },
		{ "./qemu --name web", "web" },
		{ "./qemu -name guest=web,debug-threads=on", "web" },
		{ "./qemu -name debug-threads=on,guest=web", "web" },
		{ "./qemu -name process=vm1,guest=web", "web" },
		{ "./qemu -name guest=a,,1,debug-threads=on", "a,1" },
		{ "./qemu -name a,,2,process=b", "a,2" },
		{ "./qemu -name guest=,,,,", ",," },
		{ "./qemu -name guest=a=b", "a=b" },
		{ "./qemu -name web -name process=vm1", "web" },
		{ "./qemu -name web -name guest=db", "db" },
		{ "./qemu -fw_cfg -name -name real", "real" },
		{ "./qemu -nodefaults -name real", "real" },
		{ "./qemu -S -enable-kvm --name real", "real" },
		{ "./qemu --device -name --name real", "real" },
		{ "./qemu -append -name", "" },
		{ "./qemu -name process=vm1", "" },
		{ "./qemu -name guest=", "" },
		{ "./qemu -name", "" },
		{ "./qemu --name=web", "" },
		{ "./qemu", "" },
		/* Programs that are not called QEMU. */
		{ "./idle -name guest=a,,1,debug-threads=on", "a,1" },
		{ "./idle -fw_cfg -name -name real", "real" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(name_in(cases[i][0]), cases[i][1]);
}

static void other_vmms_have_other_options(void **state)
{
	static const char *const cases[][2] = {
		{ "memattr-guest --json --wait --name web", "web" },
		{ "lkvm run --name=web", "web" },
		/* Only QEMU has commas in its option. */
		{ "vmm --name a,1", "a,1" },
		{ "vmm --name=guest=web", "guest=web" },
		{ "vmm -v --name web", "web" },
		{ "vmm --wait --name web", "web" },
		{ "/firecracker --id vm-4711 --api-sock /run/fc.sock", "vm-4711" },
		{ "./firecracker --id=vm-4711", "vm-4711" },
		{ "firecracker --api-sock /run/fc.sock", "" },
		{ "cloud-hypervisor --api-socket path=/run/vc/vm/web7/clh-api.sock", "web7" },
		{ "cloud-hypervisor --api-socket /tmp/web.sock", "web" },
		{ "cloud-hypervisor --api-socket=path=/tmp/web.sock,x=y", "web" },
		{ "cloud-hypervisor --api-socket fd=3", "" },
		{ "cloud-hypervisor --api-socket api.sock", "" },
		{ "crosvm run -s /run/vm/web.sock kernel", "web" },
		{ "crosvm run --socket /run/vm/db/crosvm.sock kernel", "db" },
		{ "crosvm run --name web -s /run/vm/x.sock", "web" },
		{ "/opt/kata/bin/containerd-shim-kata-v2 -namespace k8s.io -id 3f9a", "3f9a" },
		{ "other --id vm-4711", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(name_in(cases[i][0]), cases[i][1]);
}

static void clean_names_are_safe(void **state)
{
	static const char *const cases[][2] = {
		{ "web", "web" },
		{ "", "" },
		{ "a\n1 2 \033[31m3", "a?1 2 ?[31m3" },
		{ "a\tb\177c", "a?b?c" },
		{ "web\302\23331mRED", "web?31mRED" },
		{ "b\303\274ro-7", "b\303\274ro-7" },
		{ "\346\227\245\346\234\254", "\346\227\245\346\234\254" },
		{ "\360\237\220\247", "\360\237\220\247" },
		/*
		 * Not valid: a byte of Latin-1, a surrogate, a byte too long, a character that is
		 * cut.
		 */
		{ "b\374ro", "b?ro" },
		{ "\355\240\200", "???" },
		{ "\300\212", "??" },
		{ "a\346\227", "a??" },
	};
	char name[VM_NAME_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		name_clean(name, sizeof(name), cases[i][0]);
		assert_string_equal(name, cases[i][1]);
	}
}

static void names_are_cut_at_a_character(void **state)
{
	static const struct {
		size_t size;
		const char *text, *name;
	} cases[] = {
		{ 5, "webs", "webs" },
		{ 5, "websi", "web~" },
		{ 2, "web", "~" },
		{ 5, "\346\227\245", "\346\227\245" },
		{ 5, "\346\227\245\346\227\245", "\346\227\245~" },
		{ 4, "\346\227\245x", "~" },
		{ 6, "a\346\227\245\346\227\245", "a\346\227\245~" },
		{ 6, "ab\346\227\245\346\227\245", "ab~" },
	};
	char name[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		name_clean(name, cases[i].size, cases[i].text);
		assert_string_equal(name, cases[i].name);
	}
}

/* Any bytes make a name that is valid UTF-8, fits and has no control characters. */
static void no_bytes_get_through(void **state)
{
	static const char words[] = "-name\0--name=\0guest=\0,,\0-\0\033[\0\302\233\0\346\227\0firecracker\0--id\0";
	uint64_t seed = seed_random(1);
	char cmdline[64], name[24];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		size_t len = 0;

		while (len < sizeof(cmdline) - 16) {
			const char *word = words + next_random(&seed) % (sizeof(words) - 1);

			if (next_random(&seed) % 4)
				len += sprintf(cmdline + len, "%.12s", word) + next_random(&seed) % 2;
			else
				cmdline[len++] = next_random(&seed);
		}
		if (!vm_name_in_cmdline(cmdline, len, name, 8 + next_random(&seed) % 16))
			continue;
		for (const char *c = name; *c;) {
			uint32_t code;
			int bytes = utf8_char(c, &code);

			assert_true(bytes && !utf8_is_control(code));
			c += bytes;
		}
	}
}

#define DIGITS_16 "0f3a9c51d2e84b77"
#define DIGITS_64 DIGITS_16 DIGITS_16 DIGITS_16 DIGITS_16
#define OTHER_64 "ba9876543210" DIGITS_16 DIGITS_16 DIGITS_16 "0f3a"

static void containers_are_found_in_cgroups(void **state)
{
	static const char *const cases[][2] = {
		{ "/system.slice/docker-" DIGITS_64 ".scope", "0f3a9c51d2e8" },
		{ "/machine.slice/libpod-" DIGITS_64 ".scope/container", "0f3a9c51d2e8" },
		{ "/kubepods.slice/kubepods-burstable.slice/cri-containerd-" DIGITS_64 ".scope", "0f3a9c51d2e8" },
		{ "/kubepods/besteffort/pod1f2e/" DIGITS_64, "0f3a9c51d2e8" },
		{ "/docker/" DIGITS_64 "/docker/" OTHER_64, "ba9876543210" },
		{ "/lxc.payload.web/init.scope", "web" },
		{ "/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt", "" },
		{ "/user.slice/" DIGITS_16, "" },
		{ "/", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char name[VM_CGROUP_LEN] = "something else";

		container_of_cgroup(cases[i][0], name, sizeof(name));
		assert_string_equal(name, cases[i][1]);
	}
}

/* The kernel's own words, with those of version 1 before them. */
static void a_process_has_a_cgroup(void **state)
{
	char file[8192], cgroup[VM_CGROUP_LEN], expected[VM_CGROUP_LEN] = "";
	const char *line;

	(void)state;
	process_read(getpid(), "cgroup", file, sizeof(file));
	line = strstr(file, "0::");
	if (line)
		snprintf(expected, sizeof(expected), "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
	vm_cgroup(getpid(), cgroup, sizeof(cgroup));
	assert_string_equal(cgroup, expected);
	vm_cgroup(0, cgroup, sizeof(cgroup));
	assert_string_equal(cgroup, "");
}

static void a_policy_is_read(void **state)
{
	struct vm_policy policy = {};

	(void)state;
	vm_policy_parse(&policy, "policy: seal\nscope: all\nlink_id: 7\nbudget_us: 50\nexit_policy: old\n"
			"exit_kind: bad-return\nexit_code: -13\nexit_text: it: returned -13\n", "");
	assert_string_equal(policy.policy, "seal");
	assert_true(policy.all);
	assert_int_equal(policy.link_id, 7);
	assert_int_equal(policy.budget_us, 50);
	assert_string_equal(policy.exit_policy, "old");
	assert_string_equal(policy.exit_kind, "bad-return");
	assert_int_equal(policy.exit_code, -13);
	assert_string_equal(policy.exit_text, "it: returned -13");
	vm_policy_parse(&policy, "pos:\t0\nkvm_vm_id:\t9\nmemattr_policy:\tnone\n", "memattr_");
	assert_string_equal(policy.policy, "");
	assert_int_equal(policy.link_id, 0);
	assert_string_equal(policy.exit_policy, "");
	/* The kernel lets a policy be called so. */
	vm_policy_parse(&policy, "policy: none\nscope: vm\nlink_id: 8\n", "");
	assert_string_equal(policy.policy, "none");
	/* A process that detaches can be called "a\nlink_id: 9". */
	vm_policy_parse(&policy, "policy: none\nexit_policy: seal\nexit_kind: detach\n"
			"exit_text: detached by process 5 (a\npolicy: x\nexit_code: 3)\n", "");
	assert_string_equal(policy.policy, "");
	assert_string_equal(policy.exit_text, "detached by process 5 (a");
}

static void a_process_ends(void **state)
{
	struct process process;
	pid_t child = fork();

	(void)state;
	if (!child) {
		pause();
		_exit(0);
	}
	assert_int_equal(process_open(&process, child), 0);
	assert_int_equal(process.pid, child);
	assert_false(process_has_ended(&process));
	assert_true(process_start(child) >= process_start(getpid()));
	kill(child, SIGKILL);
	/* Its number is not free before it is waited for. */
	while (!process_has_ended(&process))
		;
	waitpid(child, NULL, 0);
	assert_true(process_has_ended(&process));
	process_close(&process);
	assert_int_equal(process_open(&process, child), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qemu_reads_its_option),
		cmocka_unit_test(other_vmms_have_other_options),
		cmocka_unit_test(clean_names_are_safe),
		cmocka_unit_test(names_are_cut_at_a_character),
		cmocka_unit_test(no_bytes_get_through),
		cmocka_unit_test(containers_are_found_in_cgroups),
		cmocka_unit_test(a_process_has_a_cgroup),
		cmocka_unit_test(a_policy_is_read),
		cmocka_unit_test(a_process_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
