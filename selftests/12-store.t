#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The store of attributes, compiled from the series for user space, with the address and undefined
# behaviour sanitizers. STORE_OPS sets the number of random operations.
cd "$(dirname "$0")/.." || exit 1
store=build/selftests/store
ops=${STORE_OPS:-200000}
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
tests=0

ok()
{
	local name=$1
	shift
	tests=$((tests + 1))
	if "$@" >"$out/said" 2>&1; then
		echo "ok $tests - $name"
		[ "${name#libFuzzer}" != "$name" ] || sed 's/^/# /' "$out/said"
	else
		echo "not ok $tests - $name"
		tail -n 40 "$out/said" | sed 's/^/# /'
	fi
}

ok "$ops random changes against an array, each allocation failing in turn, nodes of 8" \
	$store/store-test-3 1 "$ops"
ok "$((ops / 10)) with the kernel's nodes of 64" $store/store-test-6 2 $((ops / 10))
ok "three readers against a writer, nodes of 8" $store/store-rcu-3 3 4
ok "three readers against a writer, nodes of 64" $store/store-rcu-6 4 4
ok "libFuzzer finds nothing in 20,000 runs" \
	$store/store-fuzz -seed=5 -runs=20000 -max_len=600 -artifact_prefix="$out/"
echo "1..$tests"
