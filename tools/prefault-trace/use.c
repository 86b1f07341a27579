// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "use.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "diag.h"
#include "vm.h"

#define FILE_NAME	"mmu_prefault_stat"
/* The file with the total of all VMs exists even if there is no VM. */
#define TOTAL		KVM_DEBUGFS "/prefaulted_pages"
#define SHARE		20

static bool has_tdp_mmu(void)
{
	FILE *file = fopen("/sys/module/kvm/parameters/tdp_mmu", "re");
	int value = file ? fgetc(file) : 'N';

	if (file)
		fclose(file);
	return value == 'Y';
}

bool use_probe(struct snapshot_hook *hook)
{
	struct diag why;

	*hook = (struct snapshot_hook){ .metric = "use", .hook = "n/a" };
	if (!diag_has(DIAG_DEBUGFS, &why)) {
		snprintf(hook->note, sizeof(hook->note), "%.*s", HOOK_TEXT_LEN - 1, why.cause);
		return false;
	}
	if (access(TOTAL, F_OK)) {
		snprintf(hook->note, sizeof(hook->note), "this kernel does not count it");
		return false;
	}
	if (!has_tdp_mmu()) {
		snprintf(hook->note, sizeof(hook->note), "only the TDP MMU counts it: modprobe kvm tdp_mmu=1");
		return false;
	}
	snprintf(hook->hook, sizeof(hook->hook), "debugfs:" FILE_NAME);
	return true;
}

void use_read(struct use *use, const char *dir, size_t vms)
{
	uint64_t start = monotonic_ns();
	struct vm_use now = { .time_ns = start };
	char path[128];
	FILE *file;

	if (start < use->next_ns)
		return;
	snprintf(path, sizeof(path), KVM_DEBUGFS "/%s/" FILE_NAME, dir);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fscanf(file, "prefaulted %" SCNu64 " unused %" SCNu64 " untouched %" SCNu64, &now.mapped,
		   &now.unused, &now.untouched) == 3)
		use->last = now;
	fclose(file);
	use->next_ns = start + SHARE * vms * (monotonic_ns() - start);
}
