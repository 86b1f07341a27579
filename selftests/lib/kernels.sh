# SPDX-License-Identifier: GPL-2.0
# What the tests of one ioctl share: a program that prints TAP, on the stock and the patched kernel.
# They source it from the top of the checkout.
# shellcheck shell=bash

# shellcheck disable=SC2034
patched=${MEMATTR_KERNEL:-patched}
tests=0

# ok STATUS DESCRIPTION
ok()
{
	[ "$1" -eq 0 ] || printf 'not '
	echo "ok $((++tests)) - $2"
}

# on_kernel KERNEL PROGRAM ARGUMENTS...: in one VM, the program with each of the arguments. Its TAP
# becomes a subtest of each. $output is all that is said.
on_kernel()
{
	local kernel=$1 program=$2 status
	shift 2
	# shellcheck disable=SC2016
	output=$(selftests/vm/run --kernel "$kernel" --timeout 3000 -- bash -c '
		kernel=$1 program=$2 tests=$3
		for args in "${@:4}"; do
			build/selftests/$program $args | sed "s/^/    /"
			[ "${PIPESTATUS[0]}" -eq 0 ] || printf "not "
			echo "ok $((++tests)) - $args, on the $kernel kernel"
		done' bash "$kernel" "$program" $tests "$@")
	status=$?
	echo "$output"
	tests=$((tests + $#))
	ok $status "the $kernel kernel has nothing to complain about"
}
