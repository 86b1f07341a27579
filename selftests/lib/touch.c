// SPDX-License-Identifier: GPL-2.0
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

#include "testvm.h"
#include "touch.h"

static __thread sigjmp_buf access_failed;
static __thread volatile int is_accessing;

static void jump_back(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (is_accessing)
		siglongjmp(access_failed, info->si_code);
	/* The access that is at fault is repeated, and ends the program. */
	sigaction(signal, &(struct sigaction) { .sa_handler = SIG_DFL }, NULL);
}

void catch_bus_errors(void)
{
	/* As the signal stays deliverable, jumping out of the handler has no mask to restore. */
	const struct sigaction action = { .sa_sigaction = jump_back, .sa_flags = SA_SIGINFO | SA_NODEFER };

	check(sigaction(SIGBUS, &action, NULL), "sigaction");
}

int try_load(const volatile void *address, uint32_t *word)
{
	int code = sigsetjmp(access_failed, 0);

	if (!code) {
		is_accessing = 1;
		*word = *(const volatile uint32_t *)address;
	}
	is_accessing = 0;
	return code;
}

int try_store(volatile void *address, uint32_t word)
{
	int code = sigsetjmp(access_failed, 0);

	if (!code) {
		is_accessing = 1;
		*(volatile uint32_t *)address = word;
	}
	is_accessing = 0;
	return code;
}

int try_copy(uint64_t *longs, const volatile void *address, unsigned int count)
{
	int code = sigsetjmp(access_failed, 0);

	if (!code) {
		is_accessing = 1;
		for (unsigned int i = 0; i < count; i++)
			longs[i] = ((const volatile uint64_t *)address)[i];
	}
	is_accessing = 0;
	return code;
}
