# SPDX-License-Identifier: GPL-2.0
# Benchmarks source this file first. They measure, call demand_rows, and define json() and table(), which print
# $rows in one way each; report prints or saves them.
# shellcheck shell=bash disable=SC2154
cd "$(dirname "$0")/.." || exit 1
benchmark=${0##*/}

# demand_rows COUNT FIELDS: $rows has so many lines with one of these numbers of fields, such as "3|5".
demand_rows()
{
	[ "$(awk -v fields="^($2)\$" 'NF ~ fields' <<<"$rows" | wc -l)" = "$1" ] && return
	echo "bench/$benchmark: a measurement is missing, see above; to build what it needs:" \
		"make kernel kernel-stock tools policies guest bench-tests" >&2
	exit 1
}

# report [--json|--save]: what a benchmark ends with.
report()
{
	case ${1:-} in
	--json) json ;;
	--save)
		json >"bench/results/$benchmark.json.new" && table >"bench/results/$benchmark.txt.new" || exit 1
		mv "bench/results/$benchmark.json.new" "bench/results/$benchmark.json"
		mv "bench/results/$benchmark.txt.new" "bench/results/$benchmark.txt"
		cat "bench/results/$benchmark.txt" ;;
	*) table ;;
	esac
}
