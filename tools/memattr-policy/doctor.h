/* SPDX-License-Identifier: GPL-2.0 */
/* The checks of "memattr-policy doctor". */
#ifndef MEMATTR_DOCTOR_H
#define MEMATTR_DOCTOR_H

#include "diag.h"

#include <stdbool.h>
#include <stddef.h>

enum doctor_state {
	DOCTOR_OK,
	DOCTOR_NOTE,	/* policies work, but somebody should know this */
	DOCTOR_LACKS,	/* policies do not work until this is mended */
};

/* Each looks at one thing, sets @found to what it is like, and to the next command if there is one. */
enum doctor_state doctor_rights(struct diag *found);
enum doctor_state doctor_pid_namespace(struct diag *found);
enum doctor_state doctor_kernel(struct diag *found);
enum doctor_state doctor_cpu(struct diag *found);
enum doctor_state doctor_lockdown(struct diag *found);
enum doctor_state doctor_secure_boot(struct diag *found);
enum doctor_state doctor_kvm(struct diag *found);
enum doctor_state doctor_vendor_module(struct diag *found);
enum doctor_state doctor_patched(struct diag *found);
enum doctor_state doctor_next_boot(struct diag *found);
enum doctor_state doctor_in_place(struct diag *found);
enum doctor_state doctor_hugepages(struct diag *found);
enum doctor_state doctor_vm_types(struct diag *found);
enum doctor_state doctor_btf(struct diag *found);
enum doctor_state doctor_types(struct diag *found);
enum doctor_state doctor_jit(struct diag *found);
enum doctor_state doctor_bpffs(struct diag *found);
enum doctor_state doctor_debugfs(struct diag *found);
enum doctor_state doctor_installed(struct diag *found);
enum doctor_state doctor_rules(struct diag *found);
enum doctor_state doctor_vms(struct diag *found);
enum doctor_state doctor_attached(struct diag *found);
enum doctor_state doctor_pins(struct diag *found);

/* Sets @found to why there is no @need, and returns DOCTOR_LACKS; or sets it to @text. */
enum doctor_state doctor_need(enum diag_need need, struct diag *found, const char *text);

/* Reads the first line of a file, without its newline. Returns false if it cannot be read. */
bool doctor_read_line(const char *path, char *line, size_t size);

/* The module for this CPU, as modprobe is told. */
const char *doctor_vendor_for_cpu(void);

/* The folder with the folder of each kernel. */
#define DOCTOR_MODULES_DIR "/lib/modules"
/* Where the packages put the patched modules, below the folder of a kernel's modules. */
#define DOCTOR_OWN_DIR "updates/memattr"

/* Finds the file that modprobe takes for module @name of kernel @release. */
bool doctor_module_file(const char *release, const char *name, char *path, size_t size);

/* Whether this file is one of the packages' modules. */
bool doctor_is_own(const char *path);

#endif
