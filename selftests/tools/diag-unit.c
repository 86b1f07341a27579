// SPDX-License-Identifier: GPL-2.0
/* What makes the kernel refuse or fail, read from files that look as on machines where it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cause.h"

static char folder[] = "/tmp/diag-XXXXXX";

/* Writes a file with this text below the folder: its path. */
static const char *file(const char *name, const char *text)
{
	static char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
	return path;
}

static void test_lockdown(void **state)
{
	(void)state;
	assert_true(cause_is_confidential(file("lockdown", "none integrity [confidentiality]\n")));
	assert_false(cause_is_confidential(file("lockdown", "none [integrity] confidentiality\n")));
	assert_false(cause_is_confidential(file("lockdown", "[none] integrity confidentiality\n")));
	assert_false(cause_is_confidential("/nonexistent"));
	assert_true(cause_is_no_read("0: (85) call bpf_probe_read_kernel#113\n"
				     "program of this type cannot use helper bpf_probe_read_kernel#113\n"));
	assert_true(cause_is_no_read("unknown func bpf_probe_read#4\n"));
	assert_false(cause_is_no_read("R1 invalid mem access 'scalar'\n"));
}

static void test_process(void **state)
{
	(void)state;
	assert_true(cause_is_seccomp(file("status", "Name:\tx\nNoNewPrivs:\t0\nSeccomp:\t2\n")));
	assert_false(cause_is_seccomp(file("status", "Name:\tx\nSeccomp:\t0\nSeccomp_filters:\t0\n")));
	assert_true(cause_is_user_namespace(file("uid_map", "         0     100000      65536\n")));
	assert_true(cause_is_user_namespace(file("uid_map", "         0          0          1\n")));
	assert_false(cause_is_user_namespace(file("uid_map", "         0          0 4294967295\n")));
	assert_false(cause_is_user_namespace("/proc/self/uid_map"));
}

static void make_cgroup(const char *name, const char *limit)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/memory.max", name);
	file(path, limit);
}

static void test_memory_cgroup(void **state)
{
	unsigned long long limit;
	char path[64];

	(void)state;
	make_cgroup("a", "1048576\n");
	make_cgroup("a/b", "max\n");
	make_cgroup("a/c", "4096\n");
	make_cgroup("d", "max\n");
	assert_true(cause_is_cgroup(file("cgroup", "0::/a/b\n"), folder, path, sizeof(path), &limit));
	assert_string_equal(path, "/a");
	assert_int_equal(limit, 1048576);
	assert_true(cause_is_cgroup(file("cgroup", "1:name=systemd:/x\n0::/a/c\n"), folder, path,
				    sizeof(path), &limit));
	assert_string_equal(path, "/a/c");
	assert_int_equal(limit, 4096);
	assert_false(cause_is_cgroup(file("cgroup", "0::/d\n"), folder, path, sizeof(path), &limit));
	assert_false(cause_is_cgroup(file("cgroup", "0::/\n"), folder, path, sizeof(path), &limit));
	assert_false(cause_is_cgroup("/nonexistent", folder, path, sizeof(path), &limit));
}

static void test_refused_types(void **state)
{
	(void)state;
	assert_true(cause_is_refused_btf("<4>[   12.3] BPF: \n<4>[   12.3] failed to validate module [kvm] BTF: -22\n"));
	assert_true(cause_is_refused_btf("<4>[    9.9] Kernel module BTF mismatch detected, BTF debug info may be unavailable for some modules\n"));
	assert_false(cause_is_refused_btf("<4>[   12.3] failed to validate module [nf_nat] BTF: -22\n"));
	assert_false(cause_is_refused_btf(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lockdown),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_memory_cgroup),
		cmocka_unit_test(test_refused_types),
	};
	char remove[64];
	int failed;

	if (!mkdtemp(folder))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(remove, sizeof(remove), "rm -r %s", folder);
	return system(remove) ? 1 : failed;
}
