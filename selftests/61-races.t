#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Races that repeat. The test VM counts instructions instead of time, and its two CPUs take turns by
# that count: with the same seeds, threads meet at the same instruction in each run. The races are in
# prefault/ and attributes/. Tests 23 and 22 run them as well, longer and at full speed, where it takes
# luck to meet. A change of the kernel moves the instructions where threads meet, therefore the tests
# want threads to meet, but do not say how often. RACES=8 races eight times as long.
. "$(dirname "$0")/lib/test.sh"
times=${RACES:-1}

# in_order PROGRAM ARGUMENTS...: runs the program with each of the arguments, all in one VM.
in_order()
{
	local program=build/selftests/$1/$1
	shift
	selftests/vm/run --icount --cpus 2 --mem 2048 --timeout 1200 --kernel "$patched" --with "$program" -- \
		sh -c 'program=$1; shift; for args; do echo "# $args"; $program $args || exit; done' \
		sh "$program" "$@"
}

# met PATTERN NUMBER: checks that a line of $output has PATTERN, whose group NUMBER is above 0. PATTERN begins
# where a word does: the number 20 would else match as 0.
met()
{
	sed -nE "s/.*\b$1.*/\\$2/p" <<<"$output" | grep -qx '[1-9][0-9]*'
}

# same_again ARGUMENT...: checks that a second run says what $output says.
same_again()
{
	diff <(echo "$output") <(in_order "$@")
}

# repeats PROGRAM ARGUMENTS...: races twice.
repeats()
{
	subtest "$1: ${*:2}" in_order "$@"
	ok "$1: a second run says the same" same_again "$@"
}

repeats prefault "slots $((times * 4))" poison-private "flips $((times * 200))" "holes $((times * 200))" \
	"parallel $((times * 6))"
ok "memslots are deleted while they are pre-faulted" met '([0-9]+) EAGAIN, ([0-9]+) ENOENT' 1
ok "pages are poisoned while they are pre-faulted" met '([0-9]+) stopped by it' 1
ok "attributes and guest_memfd change while pages are pre-faulted" met 'meanwhile: ([0-9]+) pre-faults' 1
repeats attributes "race $times"
finish
