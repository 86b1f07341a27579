// SPDX-License-Identifier: GPL-2.0
/*
 * The contract of KVM_PRE_FAULT_MEMORY, as subcommands. TAP.
 *
 * contract.c: what it says to what cannot succeed, and how far it got (contract; memory, of
 * which there is little), also if signals come (signals) or are there (pending).
 * state.c: the same of vCPUs and VMs that cannot (shadow, if KVM was loaded without npt or
 * ept; nested; dead, death).
 * sptes.c: what it puts into the page tables (accessed, mmio), and that nothing
 * poisoned is among it (poison-private, poison-shared).
 * high.c: that it maps nothing that the page tables do not reach (high, if there is such memory).
 * slots.c: that it ends when memslots are deleted or moved (slots), and that a memslot is created
 * while it goes on (other-slot).
 * race.c: that vCPUs do it at the same time (parallel); that whatever was pre-faulted is what
 * the guest has to find there (random), also if holes are punched (holes) or attributes flip (flips)
 * meanwhile.
 *
 * spins shows how the stock kernel fails: it says what takes a signal to end.
 */
#include "prefault.h"
#include "tap.h"

static const struct test_part parts[] = {
	{ "contract", "", test_contract },
	{ "memory", "", test_little_memory },
	{ "pending", "", test_pending },
	{ "signals", "MIB", test_signals },
	{ "shadow", "", test_shadow },
	{ "nested", "", test_nested },
	{ "dead", "", test_dead },
	{ "death", "", test_death },
	{ "accessed", "", test_accessed },
	{ "mmio", "", test_mmio },
	{ "high", "", test_high },
	{ "poison-private", "", test_poisoned_private },
	{ "poison-shared", "", test_poisoned_shared },
	{ "slots", "ROUNDS", test_slots },
	{ "other-slot", "", test_other_slot },
	{ "spins", "", show_spins },
	{ "parallel", "ROUNDS", test_parallel },
	{ "random", "SEED ROUNDS", test_random },
	{ "holes", "ROUNDS", test_holes },
	{ "flips", "ROUNDS", test_flips },
};

int main(int argc, char **argv)
{
	return run_part(argc, argv, parts, ARRAY_SIZE(parts));
}
