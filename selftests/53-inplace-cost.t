#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What conversion in place costs, in instructions, which are the same at every run, against two backings.
. "$(dirname "$0")/lib/test.sh"

rows=$(bench/inplace --json) || exit 1

# value MODE WORK...: prints the sum of figures.
value()
{
	local mode=$1
	shift
	jq -r --arg mode "$mode" \
		'[.[] | select(.mode == $mode and (.work | IN($ARGS.positional[]))) | .instructions] | add' \
		--args "$@" <<<"$rows"
}

# at_most PERCENT TEXT COST OF: checks one sum as a share of another one.
at_most()
{
	ok "$2: $3 of $4 instructions, at most $1 %" \
		awk "BEGIN { exit !($4 > 0 && $3 > 0 && $3 * 100 <= $4 * $1) }"
}

round_trip=$(value stock-two unmapped-to-shared unmapped-to-private unmapped-touch-again)
first_touch=$(value stock-two unmapped-first-touch)
page=$(value patched-two page-unmapped)
for how in unmapped mapped; do
	at_most 60 "$how: the guest touches memory after it was shared, against its first touch" \
		"$(value patched-in-place $how-touch-again)" "$first_touch"
	at_most 0.01 "$how: 1 GiB to shared and back, no page is there" "$(value patched-in-place empty-$how)" "$round_trip"
done
at_most 2 "1 GiB to shared and back, in use by the guest" "$(value patched-in-place unmapped-to-shared unmapped-to-private)" "$round_trip"
at_most 120 "one page of 1 GiB that is mapped, against KVM_SET_MEMORY_ATTRIBUTES" \
	"$(value patched-in-place page-mapped)" "$page"
at_most 120 "one page of 1 GiB that nobody maps" "$(value patched-in-place page-unmapped)" "$page"
echo "# mapped by the host, which wrote to each page: $(value patched-in-place mapped-to-shared mapped-to-private) instructions"
finish
