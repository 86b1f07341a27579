#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests the store of attributes, compiled from the series for user space, with the address and undefined
# behaviour sanitizers. STORE_OPS sets the number of random operations.
. "$(dirname "$0")/lib/test.sh"
store=build/selftests/store
ops=${STORE_OPS:-200000}

ok "$ops random changes against an array, each allocation failing in turn, nodes of 8" \
	$store/store-test-3 1 "$ops"
ok "$((ops / 10)) with the kernel's nodes of 64" $store/store-test-6 2 $((ops / 10))
ok "three readers against a writer, nodes of 8" $store/store-rcu-3 3 4
ok "three readers against a writer, nodes of 64" $store/store-rcu-6 4 4
ok "libFuzzer finds nothing in 20,000 runs" \
	$store/store-fuzz -seed=5 -runs=20000 -max_len=600 -artifact_prefix="$tmp/"
note .
finish
