#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# KVM_SET_MEMORY_ATTRIBUTES with bad input: the patched kernel answers what the stock one does,
# and nothing changes. What is tried is in attributes/bad-input.c.
. "$(dirname "$0")/lib/test.sh"
program=build/selftests/attributes/bad-input

subtest "on the stock kernel" selftests/vm/run --kernel stock -- $program
stock=$output
subtest "on the $patched kernel" selftests/vm/run --kernel "$patched" -- $program --ranges
ok "both answer the same" [ "$output" = "$stock" ]
finish
