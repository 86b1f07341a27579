// SPDX-License-Identifier: GPL-2.0
/* doctor: says what this host has and lacks, and what to do next. */
#define _GNU_SOURCE
#include "doctor.h"
#include "command.h"
#include "json.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	enum doctor_state (*look)(struct diag *found);
} checks[] = {
	{ "rights", doctor_rights },
	{ "pid-namespace", doctor_pid_namespace },
	{ "kernel", doctor_kernel },
	{ "cpu", doctor_cpu },
	{ "lockdown", doctor_lockdown },
	{ "secure-boot", doctor_secure_boot },
	{ "kvm", doctor_kvm },
	{ "vendor-module", doctor_vendor_module },
	{ "patched", doctor_patched },
	{ "next-boot", doctor_next_boot },
	{ "in-place", doctor_in_place },
	{ "hugepages", doctor_hugepages },
	{ "vm-types", doctor_vm_types },
	{ "btf", doctor_btf },
	{ "types", doctor_types },
	{ "jit", doctor_jit },
	{ "bpffs", doctor_bpffs },
	{ "debugfs", doctor_debugfs },
	{ "installed", doctor_installed },
	{ "policies.d", doctor_rules },
	{ "vms", doctor_vms },
	{ "policies", doctor_attached },
	{ "pins", doctor_pins },
};

#define CHECKS (sizeof(checks) / sizeof(*checks))

static const char *const state_names[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_NOTE] = "note",
	[DOCTOR_LACKS] = "lacks",
};

enum doctor_state doctor_need(enum diag_need need, struct diag *found, const char *text)
{
	if (!diag_has(need, found))
		return DOCTOR_LACKS;
	diag_set(found, NULL, "%s", text);
	return DOCTOR_OK;
}

bool doctor_read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool found;

	*line = '\0';
	if (!file)
		return false;
	found = fgets(line, size, file);
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return found;
}

static void print_text(const char *name, enum doctor_state state, const struct diag *found)
{
	printf("%-6s %-14s %s\n", state_names[state], name, found->cause);
	if (found->next[0])
		printf("%21s try: %s\n", "", found->next);
}

static void print_json(struct json *json, const char *name, enum doctor_state state,
		       const struct diag *found)
{
	json_object(json, NULL);
	json_string(json, "name", name);
	json_string(json, "state", state_names[state]);
	json_string(json, "text", found->cause);
	if (found->next[0])
		json_string(json, "next", found->next);
	else
		json_null(json, "next");
	json_object_end(json);
}

int command_doctor(const struct options *options)
{
	struct json json = { .out = stdout };
	int ret = EXIT_OK;

	if (options->json)
		json_array(&json, NULL);
	for (size_t i = 0; i < CHECKS; i++) {
		struct diag found = {};
		enum doctor_state state = checks[i].look(&found);

		if (state == DOCTOR_LACKS)
			ret = EXIT_SYSTEM;
		if (options->json)
			print_json(&json, checks[i].name, state, &found);
		else
			print_text(checks[i].name, state, &found);
	}
	if (options->json) {
		json_array_end(&json);
		json_newline(&json);
	}
	return ret;
}
