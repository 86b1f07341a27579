#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# KVM_SET_MEMORY_ATTRIBUTES with bad input: the patched kernel answers what the stock one does,
# and nothing changes. What is tried is in attributes/bad-input.c.
cd "$(dirname "$0")/.." || exit 1

# The program's own TAP becomes a subtest.
on_kernel()
{
	output=$(selftests/vm/run --kernel "$2" -- build/selftests/attributes/bad-input $3)
	status=$?
	echo "$output" | sed 's/^/    /'
	[ $status -eq 0 ] || printf 'not '
	echo "ok $1 - on the $2 kernel"
}

on_kernel 1 stock
stock=$output
on_kernel 2 "${MEMATTR_KERNEL:-patched}" --ranges
[ "$output" = "$stock" ] || printf 'not '
echo "ok 3 - both answer the same"
echo "1..3"
