#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What memattr-top costs the guests that it watches, in instructions for each exit, against perf kvm stat record and
# kvm_stat.
. "$(dirname "$0")/lib/test.sh"

rows=$(bench/tools --json vms reasons all) || exit 1

# at_most PERCENT VIEW RATIO TOOL: checks what watching with this view costs.
at_most()
{
	local ratio
	ratio=$(jq -r --arg view "$2" --arg ratio "$3" '.[] | select(.watching == $view) | .[$ratio]' <<<"$rows")
	ok "view $2: at most $1 % of what $4 costs" awk "BEGIN { exit !(${ratio:-0} > 0 && ${ratio:-0} * 100 <= $1) }"
}

jq -r '.[] | "# \(.watching): \(.instructions) instructions, \(.ratio) of perf, \(.kvm_stat_ratio) of kvm_stat"' <<<"$rows"
at_most 15 vms ratio 'perf kvm stat record'
at_most 35 reasons ratio 'perf kvm stat record'
at_most 60 all ratio 'perf kvm stat record'
at_most 20 all kvm_stat_ratio kvm_stat
finish
