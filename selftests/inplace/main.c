// SPDX-License-Identifier: GPL-2.0
/*
 * Conversion in place: one page of a guest_memfd is both the private and the shared page of a guest
 * address, and the host maps it while it is shared. TAP.
 *
 * uapi.c: capabilities and creation in both modes of the module (mode, caps, create), the checks of
 * KVM_SET_MEMORY_ATTRIBUTES2 (checks), what it writes back (answers), and that there is none of it
 * if the parameter is off (off).
 * conversions.c: content and state of pages as they are converted (conversions).
 * zaps.c: what of it the guest has to map again (zaps).
 * file.c: what can be done with the file (files), memslots (slots), and what is left of it without
 * its descriptor or its VM (lifetime).
 * held.c: pages that somebody holds are not converted (held).
 * access.c: each way to a page that is private (access).
 * life.c: fork, mremap, memory failure, memory cgroups (life, poison, charge); conversions while
 * mappings, memslots and holes come and go (races); a memslot that comes and goes under a vCPU (recreated).
 * poison.c: memory failure while the page is held, and while the file is in use (poison-races).
 * counts.c: what KVM counts, and how often it asks a policy (counts).
 * failslab.c: what is left of a request that gets no memory (failslab).
 * data.c: guest and host check the data while pages are converted at random (data).
 * backings.c: shared memory that is not the file's stays mapped while holes are punched (backings).
 * huge.c: hugepages, with kvm.gmem_huge_pages=always (huge, and with conversion in place off, huge-backings);
 * what many VMs with them leave behind (huge-vms).
 * huge_fail.c: hugepages while allocations fail (huge-fail).
 * huge_fragmented.c: hugepages on a host whose memory is fragmented (huge-fragmented).
 *
 * Where nothing else is said the parameter must be on, or the part fails.
 */
#include "inplace.h"
#include "tap.h"

static const struct test_part parts[] = {
	{ "mode", "ON", test_mode },
	{ "caps", "", test_caps },
	{ "create", "", test_create },
	{ "checks", "", test_checks },
	{ "answers", "", test_answers },
	{ "off", "", test_off },
	{ "conversions", "", test_conversions },
	{ "zaps", "", test_zaps },
	{ "files", "", test_files },
	{ "slots", "", test_slots },
	{ "lifetime", "", test_lifetime },
	{ "held", "", test_held },
	{ "access", "", test_access },
	{ "life", "", test_life },
	{ "poison", "", test_poison },
	{ "poison-races", "POISONINGS", test_poison_races },
	{ "counts", "", test_counts },
	{ "failslab", "", test_failslab },
	{ "charge", "", test_charge },
	{ "races", "ROUNDS", test_races },
	{ "recreated", "ROUNDS", test_recreated },
	{ "data", "CONVERSIONS", test_data },
	{ "backings", "", test_backings },
	{ "huge", "", test_huge },
	{ "huge-vms", "", test_huge_vms },
	{ "huge-backings", "", test_huge_backings },
	{ "huge-fail", "", test_huge_fail },
	{ "huge-fragmented", "", test_huge_fragmented },
};

int main(int argc, char **argv)
{
	return run_part(argc, argv, parts, ARRAY_SIZE(parts));
}
