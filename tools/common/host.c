// SPDX-License-Identifier: GPL-2.0
#include "host.h"

#include <stdio.h>

#include "diag.h"

#define IN_PLACE "/sys/module/kvm/parameters/gmem_in_place_conversion"

void host_read(struct snapshot_host *host)
{
	FILE *f = fopen(IN_PLACE, "re");

	*host = (struct snapshot_host){ .known = true, .patched = diag_has(DIAG_MEMATTR, NULL) };
	if (!f)
		return;
	host->in_place = fgetc(f) == 'Y';
	fclose(f);
}
