#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What memory costs that the guest maps by hugepages of a guest_memfd, in instructions, which are the same at every
# run, and in faults of the guest.
. "$(dirname "$0")/lib/test.sh"

rows=$(bench/hugepages --json 64m) || exit 1

# value KERNEL FIGURE: prints one figure.
value()
{
	jq -r --arg kernel "$1" --arg figure "$2" \
		'.[] | select(.kernel == $kernel and .figure == $figure) | .value' <<<"$rows"
}

# at_most LIMIT TEXT FIGURE: checks the figure with hugepages.
at_most()
{
	local cost

	cost=$(value always "$3")
	ok "$2: '$cost', at most $1" awk "BEGIN { exit !(${cost:-1e99} <= $1) }"
}

# share_at_most PERCENT TEXT FIGURE KERNEL: checks it as a share of another kernel's figure.
share_at_most()
{
	local cost other

	cost=$(value always "$3")
	other=$(value "$4" "$3")
	ok "$2: '$cost' of '$other', at most $1 %" \
		awk "BEGIN { exit !(${other:-0} > 0 && ${cost:-1e99} * 100 <= $other * $1) }"
}

share_at_most 22 "the guest walks through 64 MiB that are not there yet" walk-64m stock
share_at_most 0.21 "its faults" walk-64m-faults stock
share_at_most 25 "KVM_PRE_FAULT_MEMORY of 64 MiB that are not there yet" ioctl-64m stock
share_at_most 1 "of 64 MiB that are there" ioctl-cleared stock
at_most 12000 "one page of a hugepage becomes shared, instructions" to-shared-first
share_at_most 101 "another page of it does" to-shared-next never
at_most 2 "both are shared: faults of the guest that uses all of the 2 MiB" faults-shared
share_at_most 101 "the first becomes private" to-private-first never
share_at_most 101 "the last one does" to-private-last never
at_most 2 "both are private: faults of the guest that uses all of the 2 MiB" faults-private
ok "it has 32 hugepages again" [ "$(value always huge-again)" = 32 ]
share_at_most 102 "the host has no hugepages: the guest walks through 64 MiB, instructions" fragmented-walk never
ok "it got one at most" [ "$(value always fragmented-huge)" -le 1 ]
finish
