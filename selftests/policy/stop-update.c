// SPDX-License-Identifier: GPL-2.0
/*
 * To be preloaded: stops a program just before it asks the kernel to update a link, when it has looked up all that it
 * wants to know. A test then changes something, and lets the program go on.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/syscall.h>

/* libbpf has no other way into the kernel. */
long syscall(long __sysno, ...)
{
	long (*next)(long number, ...) = dlsym(RTLD_NEXT, "syscall");
	long arg[6];
	va_list args;

	va_start(args, __sysno);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	if (__sysno == SYS_bpf && arg[0] == BPF_LINK_UPDATE)
		raise(SIGSTOP);
	return next(__sysno, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}
