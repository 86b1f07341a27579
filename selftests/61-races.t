#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Races that repeat. The test VM counts instructions instead of time, and its two CPUs take turns by
# that count: with the same seeds, threads meet at the same instruction in each run. What is raced is
# in guest/, and tests 22 and 23 run the same with luck, longer and at full speed. A change of the
# kernel moves the instructions where threads meet, therefore the tests want them to meet, but do not
# say how often. RACES=8 races eight times as long.
cd "$(dirname "$0")/.." || exit 1
. selftests/guest/lib.sh
times=${RACES:-1}

# in_order PROGRAM COMMAND...: the program with each of the arguments, all in one VM.
in_order()
{
	local program=build/selftests/guest/$1
	shift
	# shellcheck disable=SC2016
	selftests/vm/run --icount --cpus 2 --mem 2048 --timeout 1200 --kernel "$patched" --with "$program" -- \
		sh -c 'program=$1; shift; for args; do echo "# $args"; $program $args || exit; done' \
		sh "$program" "$@"
}

# met PATTERN NUMBERS WHAT: a line of the output has PATTERN, whose NUMBERS groups are above 0.
met()
{
	[ "$(sed -nE "s/.*$1.*/\\$2/p" <<<"$output" | awk '$1 > 0' | wc -l)" -gt 0 ]
	ok $? "$3"
}

# repeats PROGRAM ARGUMENTS...: two runs of all of it, which hold and say the same.
repeats()
{
	local again

	output=$(in_order "$@")
	ok $? "$1 ${*:2}: nothing to complain about"
	awk '{ print "    " $0 }' <<<"$output"
	again=$(in_order "$@")
	diff <(echo "$output") <(echo "$again") | sed 's/^/# /'
	[ "${PIPESTATUS[0]}" = 0 ]
	ok $? "a second run says the same: $(md5sum <<<"$again" | cut -c 1-16)"
}

repeats prefault "slots $((times * 4))" "poison private" "flips $((times * 200))" "holes $((times * 200))" \
	"parallel $((times * 6))"
met '([0-9]+) EAGAIN, ([0-9]+) ENOENT' 1 "memslots are deleted while they are pre-faulted"
met '([0-9]+) stopped by it' 1 "pages are poisoned while they are pre-faulted"
met 'meanwhile: ([0-9]+) pre-faults' 1 "attributes and guest_memfd change while pages are pre-faulted"
repeats attributes "race $times"
echo 1..$tests
