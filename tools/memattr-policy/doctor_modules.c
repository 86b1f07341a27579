// SPDX-License-Identifier: GPL-2.0
/* KVM's modules as files, and what stands between them and the kernel: signatures and lockdown. */
#define _GNU_SOURCE
#include "doctor.h"

#include <ctype.h>
#include <endian.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SECURE_BOOT "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define LOCKDOWN "/sys/kernel/security/lockdown"
/* What the package has beside signed modules. */
#define CERTIFICATE "modules.der"

/* A signed module ends in the signature, its length (4 bytes, big-endian), and this. */
static const char magic[] = "~Module signature appended~\n";
#define MAGIC_LEN (sizeof(magic) - 1)

/* "updates/memattr/kvm.ko.xz: ..." is a line of modules.dep; names with - and with _ are the same. */
static bool names_module(const char *file, const char *name)
{
	const char *base = strrchr(file, '/');

	base = base ? base + 1 : file;
	for (; *name; name++, base++)
		if (*base != *name && !(strchr("-_", *base) && strchr("-_", *name)))
			return false;
	return !strncmp(base, ".ko", 3);
}

bool doctor_is_own(const char *path)
{
	return strstr(path, "/" DOCTOR_OWN_DIR "/");
}

bool doctor_module_file(const char *release, const char *name, char *path, size_t size)
{
	bool found = false;
	char *line = NULL;
	size_t len = 0;
	FILE *file;

	snprintf(path, size, DOCTOR_MODULES_DIR "/%s/modules.dep", release);
	file = fopen(path, "re");
	while (file && !found && getline(&line, &len, file) > 0) {
		line[strcspn(line, ":")] = '\0';
		found = names_module(line, name);
		if (found)
			snprintf(path, size, DOCTOR_MODULES_DIR "/%s/%s", release, line);
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* Reads the signature at the end of a module. Returns its length; 0: there is none. */
static size_t read_signature(const char *path, char *signature, size_t size)
{
	char tail[MAGIC_LEN + 4];
	uint32_t len = 0;
	FILE *file = fopen(path, "re");

	if (!file)
		return 0;
	if (!fseek(file, -(long)sizeof(tail), SEEK_END) && fread(tail, sizeof(tail), 1, file) == 1 &&
	    !memcmp(tail + 4, magic, MAGIC_LEN)) {
		memcpy(&len, tail, sizeof(len));
		len = be32toh(len);
		/* Between the signature and its length, 8 bytes say of what kind it is. */
		if (len > size || fseek(file, -(long)(len + 8 + sizeof(tail)), SEEK_END) ||
		    fread(signature, len, 1, file) != 1)
			len = 0;
	}
	fclose(file);
	return len;
}

/*
 * A line of /proc/keys ends in "asymmetri ORGANISATION: NAME: KEY ID: X509.rsa ...". Returns the name, which
 * is also in a signature by that key.
 */
static char *key_name(char *line)
{
	char *text = strstr(line, " asymmetri "), *name, *end;

	if (!text)
		return NULL;
	name = text + strlen(" asymmetri ");
	end = strstr(name, ": X509.");
	if (!end)
		return NULL;
	*end = '\0';
	end = strrchr(name, ':');
	if (!end)
		return NULL;
	*end = '\0';
	return strrchr(name, ':') ? strrchr(name, ':') + 2 : name;
}

static bool key_enrolled(const char *signature, size_t len, char *name, size_t size)
{
	FILE *file = fopen("/proc/keys", "re");
	bool found = false;
	char line[512];

	while (file && !found && fgets(line, sizeof(line), file)) {
		const char *key = key_name(line);

		found = key && *key && memmem(signature, len, key, strlen(key));
		if (found)
			snprintf(name, size, "%s", key);
	}
	if (file)
		fclose(file);
	return found;
}

static bool secure_boot_on(void)
{
	unsigned char value[5] = {};	/* four bytes of attributes come first */
	FILE *file = fopen(SECURE_BOOT, "re");
	bool on;

	on = file && fread(value, sizeof(value), 1, file) == 1 && value[4] == 1;
	if (file)
		fclose(file);
	return on;
}

static bool locked_down(void)
{
	char line[64];

	return doctor_read_line(LOCKDOWN, line, sizeof(line)) && !strstr(line, "[none]");
}

/* Will the kernel take the module that modprobe chooses? */
static enum doctor_state check_signature(struct diag *found, const char *why)
{
	char path[PATH_MAX], signature[4096], name[512], next[DIAG_TEXT_LEN];
	struct utsname kernel;
	size_t len;

	uname(&kernel);
	if (!doctor_module_file(kernel.release, "kvm", path, sizeof(path)) || !doctor_is_own(path)) {
		diag_set(found, NULL, "%s; the kernel's own modules are signed, and no others are installed", why);
		return DOCTOR_OK;
	}
	len = read_signature(path, signature, sizeof(signature));
	if (!len) {
		diag_set(found, "build the package with a key, see docs/install.md, and enrol it",
			 "%s, so the kernel refuses %s, which is not signed", why, path);
		return DOCTOR_LACKS;
	}
	if (!key_enrolled(signature, len, name, sizeof(name))) {
		snprintf(next, sizeof(next),
			 "mokutil --import " DOCTOR_MODULES_DIR "/%s/" DOCTOR_OWN_DIR "/" CERTIFICATE
			 ", then reboot and confirm it on the console", kernel.release);
		diag_set(found, next, "%s, so the kernel refuses %s: the key that signed it is not enrolled", why, path);
		return DOCTOR_LACKS;
	}
	diag_set(found, NULL, "%s; %s is signed by '%s', which is enrolled", why, path, name);
	return DOCTOR_OK;
}

enum doctor_state doctor_secure_boot(struct diag *found)
{
	if (secure_boot_on())
		return check_signature(found, "Secure Boot is on");
	if (locked_down())
		return check_signature(found, "the kernel is locked down");
	diag_set(found, NULL, "off, so modules need no signature");
	return DOCTOR_OK;
}

enum doctor_state doctor_lockdown(struct diag *found)
{
	char line[64];

	if (!doctor_read_line(LOCKDOWN, line, sizeof(line)) || strstr(line, "[none]")) {
		diag_set(found, NULL, "none");
		return DOCTOR_OK;
	}
	if (strstr(line, "[integrity]")) {
		diag_set(found, NULL, "integrity: modules must be signed, policies and tools work");
		return DOCTOR_NOTE;
	}
	diag_set(found, "boot with lockdown=integrity, or without lockdown on the kernel's command line",
		 "confidentiality: BPF programs cannot read kernel memory, so some policies and the tools do not load");
	return DOCTOR_LACKS;
}
