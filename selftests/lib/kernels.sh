# SPDX-License-Identifier: GPL-2.0
# Runs a program that prints TAP on the stock and on the patched kernel. A test sources test.sh first.
# shellcheck shell=bash

# More options for vm/run.
vm_options=()

# on_kernel KERNEL PROGRAM ARGUMENTS...: in one VM, the program with each of the arguments. Its TAP
# becomes a subtest of each. $output is all that is said.
on_kernel()
{
	local kernel=$1 program=$2 status
	shift 2
	# shellcheck disable=SC2016
	output=$(selftests/vm/run --kernel "$kernel" --timeout 3000 "${vm_options[@]}" -- bash -c '
		kernel=$1 program=$2 tmp=/tmp
		. selftests/lib/tap.sh
		tests=$3
		for args in "${@:4}"; do
			subtest "$args, on the $kernel kernel" build/selftests/$program $args
		done' bash "$kernel" "$program" "$tests" "$@")
	status=$?
	echo "$output"
	tests=$((tests + $#))
	result $status "the $kernel kernel has nothing to complain about"
}
