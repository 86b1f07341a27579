// SPDX-License-Identifier: GPL-2.0
/*
 * probe FUNCTION [fault|prefault]: what hook_probe() finds out about fentry on this function of KVM,
 * with or without a trial.
 */
#include <stdio.h>
#include <string.h>

#include "hook.h"
#include "trial.h"

static int (*trial_named(const char *name))(void)
{
	if (!name)
		return NULL;
	return strcmp(name, "fault") ? trial_prefault : trial_fault;
}

int main(int argc, char **argv)
{
	struct hook_site site = { HOOK_FENTRY, argc > 1 ? argv[1] : "" };
	struct hook_prober prober;
	char text[128];
	int err;

	if (hook_prober_open(&prober)) {
		fprintf(stderr, "no types\n");
		return 1;
	}
	err = hook_probe(&prober, &site, trial_named(argc > 2 ? argv[2] : NULL));
	hook_prober_close(&prober);
	if (err < 0)
		hook_error_text(err, text, sizeof(text));
	printf("%s\n", err < 0 ? text : err == HOOK_UNSURE ? "unsure" : "sure");
	return 0;
}
