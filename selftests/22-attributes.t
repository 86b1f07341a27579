#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# KVM_SET_MEMORY_ATTRIBUTES used as it is meant to be: the patched kernel does what the stock one
# does. What is tried is in guest/attributes.c. ATTRIBUTES_OPS=100000 tries more.
cd "$(dirname "$0")/.." || exit 1
ops=${ATTRIBUTES_OPS:-20000}
patched=${MEMATTR_KERNEL:-patched}
tests=0

# ok STATUS DESCRIPTION
ok()
{
	[ "$1" -eq 0 ] || printf 'not '
	echo "ok $((++tests)) - $2"
}

# on_kernel KERNEL ARGUMENTS...: the program with each of the arguments; its TAP becomes a subtest.
on_kernel()
{
	local kernel=$1
	shift
	# shellcheck disable=SC2016
	output=$(selftests/vm/run --kernel "$kernel" --timeout 3000 -- bash -c '
		kernel=$1 tests=$2
		for args in "${@:3}"; do
			build/selftests/guest/attributes $args | sed "s/^/    /"
			[ "${PIPESTATUS[0]}" -eq 0 ] || printf "not "
			echo "ok $((++tests)) - $args, on the $kernel kernel"
		done' bash "$kernel" $tests "$@")
	status=$?
	echo "$output"
	tests=$((tests + $#))
	ok $status "the $kernel kernel has nothing to complain about"
	final=$(sed -n '/# final /{s///p;q}' <<<"$output")
}

on_kernel stock "random 1 $ops" stays
stock=$final
on_kernel "$patched" "random 1 $ops" "random 2 $ops --ranges" "stays --ranges" "race 5"
[ -n "$stock" ] && [ "$final" = "$stock" ]
ok $? "random 1 $ops ends the same on both"
echo 1..$tests
