#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What it takes to have private memory mapped, in instructions, which are the same at every run, and in faults of the
# guest: the promises about pre-faulting and the policies that map ahead, patched against stock.
. "$(dirname "$0")/lib/test.sh"

rows=$(bench/prefault --json) || exit 1

# value FIELD KERNEL POLICY WORK: prints one figure.
value()
{
	jq -r --arg kernel "$2" --arg policy "$3" --arg work "$4" \
		".[] | select(.kernel == \$kernel and .policy == \$policy and .work == \$work) | .$1" <<<"$rows"
}

# at_most PERCENT TEXT FIELD POLICY WORK: checks the patched kernel's figure as a share of the stock kernel's.
at_most()
{
	local stock patched

	stock=$(value "$3" stock none "$5")
	patched=$(value "$3" patched "$4" "$5")
	ok "$2: '$patched' of '$stock' $3, at most $1 %" \
		awk "BEGIN { exit !(${stock:-0} > 0 && ${patched:-1e99} * 100 <= $stock * $1) }"
}

at_most 50 "KVM_PRE_FAULT_MEMORY of 64 MiB" instructions none ioctl-64m
at_most 50 "of 1 GiB" instructions none ioctl-1g
at_most 50 "faultaround, the guest walks through 64 MiB" instructions faultaround walk-64m
at_most 6.25 "its faults" faults faultaround walk-64m
at_most 50 "faultaround, the guest walks through 1 GiB" instructions faultaround walk-1g
at_most 6.25 "its faults" faults faultaround walk-1g
at_most 105 "faultaround, the guest touches random pages of 1 GiB" instructions faultaround sparse-1g
at_most 110 "its memory" mapped_pages faultaround sparse-1g
at_most 60 "map_converted, the guest accepts memory and uses it" instructions map_converted accept-64m
at_most 1 "its faults" faults map_converted accept-64m
at_most 101 "no policy, the guest walks through 64 MiB" instructions none walk-64m
at_most 101 "no policy, random pages of 1 GiB" instructions none sparse-1g
finish
