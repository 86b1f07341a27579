/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MEMATTR_EXIT_CODE_H
#define MEMATTR_EXIT_CODE_H

/* The exit codes of all tools. Scripts must be able to tell these outcomes apart. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,	/* any failure that is not listed below */
	EXIT_USAGE = 2,		/* options, parameters */
	EXIT_SYSTEM = 3,	/* the kernel lacks something, or the process lacks rights */
	EXIT_NO_VM = 4,		/* no such process or VM */
	EXIT_BUSY = 5,		/* there is a policy already */
	EXIT_NO_POLICY = 6,	/* the file is not a policy, or the verifier refuses it */
	EXIT_NOTHING = 7,	/* memattr-policy why: nothing has happened that could be explained */
	EXIT_EJECTED = 10,	/* the kernel ejected the policy */
	EXIT_VM_ENDED = 11,	/* the VM is gone, and the policy with it */
};

#endif
