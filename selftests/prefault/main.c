// SPDX-License-Identifier: GPL-2.0
/*
 * The contract of KVM_PRE_FAULT_MEMORY, as subcommands. TAP.
 *
 * contract.c: what it says to what cannot succeed, and how far it got (contract; memory, of
 * which there is little), also if signals come (signals) or are there (pending).
 * state.c: the same of vCPUs and VMs that cannot (shadow, if KVM was loaded without npt or
 * ept; nested; dead, death).
 * sptes.c: what it puts into the page tables (accessed), and that nothing poisoned is among
 * it (poison).
 * slots.c: that it ends when memslots are deleted or moved (slots).
 * race.c: that vCPUs do it at the same time (parallel); that whatever was pre-faulted is what
 * the guest has to find there (random), also if holes are punched (holes) or attributes flip (flips)
 * meanwhile.
 *
 * spins shows how the stock kernel fails: it says what takes a signal to end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prefault.h"
#include "tap.h"

static int usage(void)
{
	fprintf(stderr, "usage: prefault contract|shadow|nested|dead|death|memory|pending\n"
			"       prefault accessed|mmio|spins\n"
			"       prefault poison private|shared\n"
			"       prefault signals MIB\n"
			"       prefault slots|parallel|holes|flips ROUNDS\n"
			"       prefault random SEED ROUNDS\n");
	return 2;
}

static const struct {
	const char *command;
	void (*run)(void);
} tests[] = {
	{ "contract", test_contract },
	{ "shadow", test_shadow },
	{ "nested", test_nested },
	{ "dead", test_dead },
	{ "death", test_death },
	{ "memory", test_little_memory },
	{ "pending", test_pending },
	{ "accessed", test_accessed },
	{ "mmio", test_mmio },
	{ "spins", show_spins },
};

static const struct {
	const char *command;
	void (*run)(unsigned long number);
} tests_of_size[] = {
	{ "signals", test_signals },
	{ "slots", test_slots },
	{ "parallel", test_parallel },
	{ "holes", test_holes },
	{ "flips", test_flips },
};

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	unsigned long number = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(tests); i++) {
		if (!strcmp(command, tests[i].command)) {
			tests[i].run();
			return finish_tests();
		}
	}
	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(tests_of_size); i++) {
		if (!strcmp(command, tests_of_size[i].command)) {
			tests_of_size[i].run(number);
			return finish_tests();
		}
	}
	if (!strcmp(command, "poison") && argc == 3 && !strcmp(argv[2], "private"))
		test_poisoned_private();
	else if (!strcmp(command, "poison") && argc == 3 && !strcmp(argv[2], "shared"))
		test_poisoned_shared();
	else if (!strcmp(command, "random") && argc == 4)
		test_random(number, strtoul(argv[3], NULL, 0));
	else
		return usage();
	return finish_tests();
}
