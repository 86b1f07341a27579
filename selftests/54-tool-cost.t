#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What memattr-top costs the guests that it watches, in instructions for each exit, against perf kvm stat record.
. "$(dirname "$0")/lib/test.sh"

rows=$(bench/tools --json vms reasons) || exit 1

# at_most PERCENT VIEW: checks what watching with this view costs.
at_most()
{
	local ratio
	ratio=$(jq -r --arg view "$2" '.[] | select(.watching == $view) | .ratio' <<<"$rows")
	ok "view $2: at most $1 % of what perf kvm stat record costs" \
		awk "BEGIN { exit !(${ratio:-0} > 0 && ${ratio:-0} * 100 <= $1) }"
}

jq -r '.[] | "# \(.watching): \(.instructions) instructions, \(.ratio) of perf"' <<<"$rows"
at_most 15 vms
at_most 50 reasons
finish
