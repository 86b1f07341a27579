/* SPDX-License-Identifier: GPL-2.0 */
/* Puts the rules of policies.d in force. */
#ifndef MEMATTR_BOOT_APPLY_H
#define MEMATTR_BOOT_APPLY_H

#include <stdbool.h>

struct boot_pass {
	const char *dir;	/* of the rules */
	bool all;		/* attach the policy for all VMs, too, if it is missing */
	bool update;		/* also replace and detach what earlier passes have attached */
	bool pending;		/* result: a process is about to get its new VM's descriptor */
};

/* Reports its errors. Returns EXIT_OK, or the exit code of the last error. */
int boot_apply(struct boot_pass *pass);

#endif
