// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "vm_name.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "utf8.h"

/* QEMU started by libvirt has command lines of some 10 KiB; -name stands near the start. */
#define CMDLINE_MAX 65536

#define COMM_MAX 64

/* How container managers name what they make. */
#define CONTAINER_DIGITS 64
#define CONTAINER_DIGITS_SHOWN 12
#define LXC_PAYLOAD "lxc.payload."

void name_clean(char *name, size_t size, const char *text)
{
	/* Where the mark is put if the text does not fit; there is room for it. */
	size_t len = 0, cut = 0;

	while (*text) {
		uint32_t code;
		int bytes = utf8_char(text, &code);
		bool safe = bytes && !utf8_is_control(code);
		size_t needs = safe ? bytes : 1;

		if (len + needs >= size) {
			name[cut] = VM_NAME_CUT;
			name[cut + 1] = '\0';
			return;
		}
		if (safe)
			memcpy(name + len, text, bytes);
		else
			name[len] = '?';
		len += needs;
		text += bytes ?: 1;
		if (len + 1 < size)
			cut = len;
	}
	name[len] = '\0';
}

/* The arguments of a command line, each a string. */
struct arguments {
	const char *next, *end;
};

static const char *next_argument(struct arguments *arguments)
{
	const char *argument = arguments->next;

	if (argument >= arguments->end)
		return NULL;
	arguments->next += strnlen(argument, arguments->end - argument) + 1;
	return argument;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

/*
 * Copies a value of QEMU's, which ends at a comma, and in which ",," is a comma. Returns what
 * follows. @value is NULL if nobody wants it.
 */
static const char *copy_value(char *value, const char *text)
{
	for (; *text; text++) {
		if (*text == ',' && *++text != ',')
			break;
		if (value)
			*value++ = *text;
	}
	if (value)
		*value = '\0';
	return text;
}

/*
 * Reads "[guest=]NAME,KEY=VALUE..." as QEMU does: guest= can stand anywhere, only the first may
 * lack its key, and the last guest= counts. Returns false if no guest is named.
 */
static bool qemu_guest(const char *text, char *name)
{
	bool first = true, found = false;

	while (*text) {
		size_t key = strcspn(text, "=,");
		bool has_key = text[key] == '=';
		bool is_guest = has_key ? key == 5 && starts_with(text, "guest") : first;

		text = copy_value(is_guest ? name : NULL, has_key ? text + key + 1 : text);
		found |= is_guest;
		first = false;
	}
	return found && *name;
}

/* QEMU's options of more than a letter that no value follows. */
static bool is_qemu_flag(const char *option)
{
	static const char *const flags[] = {
		"alt-grab", "async-teardown", "ctrl-grab", "curses", "daemonize", "enable-fips",
		"enable-kvm", "full-screen", "help", "jitdump", "mem-prealloc", "no-acpi",
		"no-fd-bootchk", "no-hpet", "no-kvm", "no-quit", "no-reboot", "no-shutdown",
		"no-user-config", "nodefaults", "nodefconfig", "nographic", "old-param",
		"only-migratable", "perfmap", "portrait", "preconfig", "sdl", "semihosting",
		"singlestep", "snapshot", "usb", "version", "win2k-hack", "xen-attach",
		"xen-domid-restrict", NULL,
	};

	for (const char *const *flag = flags; *flag; flag++)
		if (!strcmp(option, *flag))
			return true;
	return false;
}

/*
 * Takes the value of the last -name or --name that is an option, and not the value of another:
 * "-fw_cfg -name -name web". A long option after a single dash is written as QEMU's, which takes a
 * value unless it is a flag.
 */
static bool name_option(struct arguments arguments, bool is_qemu, char *name)
{
	const char *argument;
	bool found = false;

	next_argument(&arguments);
	while ((argument = next_argument(&arguments))) {
		const char *option = argument + strspn(argument, "-"), *value = NULL;
		int dashes = option - argument;

		if (dashes == 2 && starts_with(option, "name=") && !is_qemu)
			value = option + 5;
		else if ((dashes == 1 || dashes == 2) && !strcmp(option, "name"))
			value = next_argument(&arguments);
		else if (dashes && (dashes == 1 || is_qemu) && option[0] && option[1] &&
			 !is_qemu_flag(option))
			next_argument(&arguments);
		if (!value)
			continue;
		if (is_qemu || dashes == 1)
			found = qemu_guest(value, name) || (found && *name);
		else
			found = *strcpy(name, value);
	}
	return found;
}

/* Takes the value of "--option VALUE" or "--option=VALUE", or with a single dash. */
static bool plain_option(struct arguments arguments, const char *option, char *name)
{
	const char *argument, *value = NULL;
	size_t len = strlen(option);

	next_argument(&arguments);
	while (!value && (argument = next_argument(&arguments))) {
		const char *word = argument + strspn(argument, "-");

		if (word == argument || strncmp(word, option, len))
			continue;
		argument = word;
		if (argument[len] == '=')
			value = argument + len + 1;
		else if (!argument[len])
			value = next_argument(&arguments);
	}
	return value && *strcpy(name, value);
}

/* Names that say what a socket is for, and not of which VM it is. */
static bool is_common_name(const char *name)
{
	static const char *const common[] = {
		"api", "ch", "ch-api", "clh", "clh-api", "cloud-hypervisor", "control", "crosvm",
		"socket", "sock", "vmm", NULL,
	};

	for (const char *const *word = common; *word; word++)
		if (!strcmp(name, *word))
			return true;
	return false;
}

/*
 * "/run/web.sock" is of the VM web, and so is "/run/vc/vm/web/clh-api.sock", as kata calls it.
 * Cloud Hypervisor writes "path=" before the path. Changes @name in place.
 */
static bool name_of_socket(char *name)
{
	char *path = starts_with(name, "path=") ? name + 5 : name, *dot;
	const char *file;

	if (starts_with(path, "fd="))
		return false;
	path[strcspn(path, ",")] = '\0';
	for (;;) {
		file = base_name(path);
		dot = strrchr(file, '.');
		if (dot && (!strcmp(dot, ".sock") || !strcmp(dot, ".socket")))
			*dot = '\0';
		if (!is_common_name(file) || file == path)
			break;
		path[file - path - 1] = '\0';
	}
	memmove(name, file, strlen(file) + 1);
	return *name && !is_common_name(name);
}

/* VMMs that have no --name, or need not have it, by the first letters of their program's name. */
static const struct vmm {
	const char *program;
	const char *option;
	bool is_socket;
} vmms[] = {
	{ "firecracker", "id", false },
	{ "containerd-shim-kata", "id", false },
	{ "cloud-hyperviso", "api-socket", true },
	{ "crosvm", "socket", true },
	{ "crosvm", "s", true },
};

/* @name has room for the whole command line. */
static bool find_name(struct arguments arguments, char *name)
{
	const char *program = base_name(arguments.next);
	bool is_qemu = starts_with(program, "qemu") || !strcmp(program, "kvm");

	if (name_option(arguments, is_qemu, name))
		return true;
	for (size_t i = 0; i < sizeof(vmms) / sizeof(*vmms); i++)
		if (starts_with(program, vmms[i].program) &&
		    plain_option(arguments, vmms[i].option, name) &&
		    (!vmms[i].is_socket || name_of_socket(name)))
			return true;
	return false;
}

bool vm_name_in_cmdline(const char *cmdline, size_t len, char *name, size_t size)
{
	char *copy = calloc(1, len + 1), *found = calloc(2, len + 1);
	bool has_name = false;

	if (copy && found && len) {
		memcpy(copy, cmdline, len);
		has_name = find_name((struct arguments){ copy, copy + len }, found);
	}
	if (has_name)
		name_clean(name, size, found);
	free(found);
	free(copy);
	return has_name;
}

void vm_cgroup(pid_t pid, char *cgroup, size_t size)
{
	char path[PATH_MAX];

	process_cgroup(pid, path, sizeof(path));
	name_clean(cgroup, size, path);
}

void container_of_cgroup(const char *cgroup, char *name, size_t size)
{
	const char *lxc = strstr(cgroup, "/" LXC_PAYLOAD);

	snprintf(name, size, "%s", "");
	if (lxc) {
		lxc += strlen("/" LXC_PAYLOAD);
		snprintf(name, size, "%.*s", (int)strcspn(lxc, "/"), lxc);
		return;
	}
	while (*cgroup) {
		size_t digits = strspn(cgroup, "0123456789abcdef");

		/* The last one: a container's manager can run in a container. */
		if (digits == CONTAINER_DIGITS)
			snprintf(name, size, "%.*s", CONTAINER_DIGITS_SHOWN, cgroup);
		cgroup += digits ?: 1;
	}
}

/*
 * A system service has one VM and its name, as in crosvm@web.service. All else is of the session or
 * container.
 */
static bool name_of_service(pid_t pid, char *name, size_t size)
{
	char path[PATH_MAX], *unit, *end, *instance;

	process_cgroup(pid, path, sizeof(path));
	unit = (char *)base_name(path);
	end = strstr(unit, ".service");
	if (!end || end[strlen(".service")] || starts_with(unit, "user@"))
		return false;
	*end = '\0';
	instance = strchr(unit, '@');
	name_clean(name, size, instance && instance[1] ? instance + 1 : unit);
	return true;
}

static bool is_known_vmm(const char *comm)
{
	for (size_t i = 0; i < sizeof(vmms) / sizeof(*vmms); i++)
		if (starts_with(comm, vmms[i].program))
			return true;
	return false;
}

void vm_comm(pid_t pid, char *comm, size_t size)
{
	char file[COMM_MAX];
	size_t len = process_read(pid, "comm", file, sizeof(file));

	/* Only the last newline is not the comm's. */
	if (len)
		file[len - 1] = '\0';
	name_clean(comm, size, file);
}

void vm_name(pid_t pid, char *name, size_t size)
{
	char *cmdline = malloc(CMDLINE_MAX), comm[COMM_MAX];
	size_t len;

	snprintf(name, size, "?");
	if (!cmdline)
		return;
	len = process_read(pid, "cmdline", cmdline, CMDLINE_MAX);
	if (!vm_name_in_cmdline(cmdline, len, name, size)) {
		vm_comm(pid, comm, sizeof(comm));
		if (!(is_known_vmm(comm) && name_of_service(pid, name, size)) && *comm)
			name_clean(name, size, comm);
	}
	free(cmdline);
}
